"""ResNet-18 on a folder of your own pictures, at 128 x 128 pixels: our choice.

No published number; 11,181,642 parameters with ten classes. The folder has `train/<class>/*.jpg` and
`val/<class>/*.jpg`. Or it has only a folder for each class; then a fifth of each class is kept for validation.

    python main.py --config=configs/resnet18_folder.py --config.dataset.folder=DIR --config.model.num_classes=N
"""

from ml_collections import ConfigDict

from configs import resnet18_imagenette


def get_config() -> ConfigDict:
    config = resnet18_imagenette.get_config()
    config.dataset.name = 'folder'
    config.dataset.check = 'headers'
    config.pictures.exif_rotation = True
    return config
