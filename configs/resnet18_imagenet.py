"""ResNet-18 on ImageNet: He et al. 2015, Table 2, row "18 layers", ResNet.

Published test error 27.88 % (10 crops); 11,515,688 parameters (1.8e9 multiply-adds in the paper).
The shortcut is A. The error is top-1.

    python main.py --config=configs/resnet18_imagenet.py --config.dataset.manual_dir=DIR
"""

from ml_collections import ConfigDict

from configs import base_pictures


def get_config() -> ConfigDict:
    return base_pictures.get_config(depth=18)
