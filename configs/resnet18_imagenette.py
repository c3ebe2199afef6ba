"""ResNet-18 on Imagenette, ten of ImageNet's classes, at 128 x 128 pixels: our choice.

No published number; 11,181,642 parameters. The recipe: crops of random area and aspect ratio, torchvision's shortcuts
(B), and 20 epochs of batches of 64, with BatchNorm over the whole batch, as on one GPU.

    python main.py --config=configs/resnet18_imagenette.py
"""

from ml_collections import ConfigDict

from configs import base_later_imagenet


def get_config() -> ConfigDict:
    config = base_later_imagenet.get_config(depth=18, num_classes=10, shortcut='B')
    config.batch_size = 64
    config.train_for = '20 epochs'
    config.dataset.name = 'imagenette'
    config.dataset.crop = 128
    config.pictures.area = (0.25, 1.0)
    config.pictures.test_shorter_side = 144
    config.schedule.name = 'cosine'
    config.schedule.drop_at = ()
    config.batch_norm.group_size = 0
    return config
