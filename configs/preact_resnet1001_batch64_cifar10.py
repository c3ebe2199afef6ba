"""Pre-activation ResNet-1001 on CIFAR-10 with batches of 64: He et al. 2016, Table 4, the row marked with a dagger.

Published test error 4.62 % (4.69 ± 0.20); 10,327,706 parameters. The recipe is that of the authors' code:
Nesterov's momentum, weight decay on every parameter, 200 epochs, drops at epochs 81 and 122, no warm-up, and BatchNorm
over 32 images, half a batch, on each of two GPUs.

    python main.py --config=configs/preact_resnet1001_batch64_cifar10.py
"""

from ml_collections import ConfigDict

from configs import preact_resnet1001_cifar10


def get_config() -> ConfigDict:
    config = preact_resnet1001_cifar10.get_config()
    config.batch_size = 64
    config.train_for = '200 epochs'
    config.schedule.drop_at = ('81 epochs', '122 epochs')
    config.schedule.warmup_for = None
    config.schedule.warmup_learning_rate = None
    config.optimizer.nesterov = True
    config.optimizer.decay = 'all'
    config.batch_norm.group_size = 32
    return config
