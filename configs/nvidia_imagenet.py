"""ResNet-50 v1.5 on ImageNet by NVIDIA's recipe (github.com/NVIDIA/DeepLearningExamples, PyTorch).

Published test error 22.88 % (accuracy 77.12 ± 0.11 %); 25,557,032 parameters.
This is in mixed precision; `--config.precision.compute=bfloat16` is the nearest option here. With TF32 the accuracy is
76.95 ± 0.18 %.

- SGD with momentum 0.875 for 90 epochs of batches of 2,048, 256 on each of 8 GPUs.
- The learning rate is 0.256 x batch / 256 after a warm-up of 8 epochs. Then it falls to zero by half a cosine.
  NVIDIA's code changes it once an epoch and begins with an eighth. This config changes it at each step and begins with
  zero.
- Weight decay is 1/32768, except on BatchNorm. Labels are smoothed by 0.1.
- Convolutions have He's initialization by fan-in, as in NVIDIA's code. The head has it only here.

    python main.py --config=configs/nvidia_imagenet.py --config.dataset.manual_dir=DIR
"""

from ml_collections import ConfigDict

from configs import base_later_imagenet


def get_config() -> ConfigDict:
    config = base_later_imagenet.get_config(v1_5=True, shortcut='B', initialization='fan_in')
    config.batch_size = 2048
    config.optimizer.momentum = 0.875
    config.optimizer.weight_decay = 1 / 32768
    config.optimizer.decay = 'all_but_batch_norm'
    config.loss.label_smoothing = 0.1
    base_later_imagenet.set_cosine(config, 0.256 * config.batch_size / 256, '8 epochs')
    config.batch_norm.group_size = 256
    return config
