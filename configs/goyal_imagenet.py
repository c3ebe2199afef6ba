"""ResNet-50 on ImageNet with large batches: Goyal et al. 2017 (arXiv 1706.02677); the argument is the batch.

    python main.py --config=configs/goyal_imagenet.py:8192 --config.dataset.manual_dir=DIR

| argument | published test error |
|---|---|
| 256 | 23.60 ± 0.12 % |
| 512, 1024, 2048, 4096 | a curve, without a number |
| 8192 | 23.74 ± 0.09 % |
| 8192_no_warmup | 24.84 ± 0.37 % |

The published errors are means of five runs. In the paper, the error of a run is the median of its last five epochs; the
study `batch_and_rate` compares it with the mean of our last five epochs.

- The learning rate is 0.1 x batch / 256. It rises from 0.1 over the first 5 epochs, step by step, and is divided by 10
  at epochs 30, 60 and 80 of 90. The optimizer is SGD with Nesterov's momentum.
- BatchNorm's statistics are over 32 pictures. Its scales and biases have no weight decay.
- The scale of each branch's last BatchNorm begins with zero, and the head with N(0, 0.01).
- A bottleneck's stride is in its 3x3 convolution.
- With `memory.microbatches`, a large batch fits into the memory of one device.
"""

from ml_collections import ConfigDict

from configs import base, base_later_imagenet

WARM = ('256', '512', '1024', '2048', '4096', '8192')
BATCHES = (*WARM, '8192_no_warmup')


def get_config(batch: str = '256') -> ConfigDict:
    base.check_known('batch', batch, BATCHES)
    config = base_later_imagenet.get_config(
        v1_5=True, shortcut='B', zero_last_scale=True, initialization='fan_out_small_head'
    )
    config.batch_size = int(batch.removesuffix('_no_warmup'))
    config.optimizer.nesterov = True
    config.optimizer.decay = 'all_but_batch_norm'
    config.schedule.learning_rate = 0.1 * config.batch_size / 256
    config.schedule.drop_at = ('30 epochs', '60 epochs', '80 epochs')
    if batch in WARM:
        config.schedule.warmup_shape = 'linear'
        config.schedule.warmup_for = '5 epochs'
        config.schedule.warmup_learning_rate = 0.1
    return config
