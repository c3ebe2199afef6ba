"""ResNet-50 on ImageNet by Flax's example (github.com/google/flax, examples/imagenet).

Published test error 23.28 % (accuracy 76.72 %); 25,557,032 parameters.
The other published runs, with batches of 1,024 and 2,048, have accuracies of 76.27 to 76.67 %. An earlier README has
76.63 % with batches of 512, and 76.39 % with 2,048 in mixed precision.

- SGD with Nesterov's momentum for 100 epochs with batches of 512. Kernels have weight decay.
- The learning rate rises from zero to 0.1 x batch / 256 over 5 epochs, step by step. Then it falls to zero by half a
  cosine.
- The scale of each branch's last BatchNorm begins with zero. Kernels have LeCun's initialization.
- Pictures are resized bicubically. BatchNorm's statistics are over 64 pictures, one GPU's share of 512 on 8 GPUs.

    python main.py --config=configs/flax_imagenet.py --config.dataset.manual_dir=DIR
"""

from ml_collections import ConfigDict

from configs import base_later_imagenet


def get_config() -> ConfigDict:
    config = base_later_imagenet.get_config(v1_5=True, shortcut='B', zero_last_scale=True, initialization='lecun')
    config.batch_size = 512
    config.train_for = '100 epochs'
    config.pictures.interpolation = 'bicubic'
    config.optimizer.nesterov = True
    base_later_imagenet.set_cosine(config, 0.1 * config.batch_size / 256, '5 epochs')
    config.batch_norm.group_size = 64
    return config
