"""ResNet-50 v1.5 on ImageNet by NVIDIA's recipe (github.com/NVIDIA/DeepLearningExamples, PyTorch).

Published test error 22.88 % (accuracy 77.12 ± 0.11 %); 25,557,032 parameters.
That is in mixed precision, to which `--config.precision.compute=bfloat16` is the nearest here; by TF32 it is 76.95 ±
0.18.

SGD with momentum 0.875 for 90 epochs of batches of 2,048, 256 on each of 8 GPUs; the learning rate 0.256 times the
batch over 256, by half a cosine to zero after a warm-up of 8 epochs; weight decay 1/32768, but not on BatchNorm; labels
smoothed by 0.1. There the learning rate moves by epoch, the first at an eighth; here by step, from zero. Convolutions
begin with He's fan-in there and here; the head does so only here.

    python main.py --config=configs/nvidia_imagenet.py --config.dataset.manual_dir=DIR
"""

from ml_collections import ConfigDict

from configs import base_later


def get_config() -> ConfigDict:
    config = base_later.get_config()
    base_later.set_network(config, 'resnet50', ['resnet50'])
    config.model.initialization = 'fan_in'
    config.batch_size = 2048
    config.optimizer.momentum = 0.875
    config.optimizer.weight_decay = 1 / 32768
    config.optimizer.decay = 'all_but_batch_norm'
    config.loss.label_smoothing = 0.1
    base_later.set_cosine(config, 0.256 * config.batch_size / 256, '8 epochs')
    config.batch_norm.group_size = 256
    return config
