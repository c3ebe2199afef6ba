"""The best network of Scaled, a project that rescales ResNet within 5 M parameters, on CIFAR-10.

Published test error 9.30 % (accuracy 90.70 %); 4,435,082 parameters. It has two stages of three units,
with 128 and 256 channels.

    python main.py --config=configs/scaled_cifar10.py

The recipe is Adam with a learning rate of 0.001, batches of 64, and 60 epochs. The project does not state the rates of
DropBlock and of the dropout of features; 0.1 and 0.2 are our choice. It does not describe input and initialization;
they are taken from He et al. 2015.

The fields of its design space are `config.model.stage_sizes`, `width`, `windows`, `shortcut_windows` and `pooled_size`.
A network with more than 5 M parameters is an error that names their number.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config(name='scaled_resnet', drop_block=0.1, dropout=0.2)
    config.batch_size = 64
    config.train_for = '60 epochs'
    config.optimizer.name = 'adam'
    config.optimizer.weight_decay = 0.0
    config.schedule.learning_rate = 0.001
    config.schedule.drop_at = ()
    config.batch_norm.group_size = 0
    return config
