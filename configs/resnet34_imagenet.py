"""ResNet-34 with shortcut A on ImageNet: He et al. 2015, Tables 2 and 3, row "ResNet-34 A".

Published test error 25.03 / 7.76 % (10 crops); 21,623,848 parameters (3.6e9 multiply-adds in the paper).
Errors are top-1 / top-5.

    python main.py --config=configs/resnet34_imagenet.py --config.dataset.manual_dir=DIR
"""

from ml_collections import ConfigDict

from configs import base_pictures


def get_config() -> ConfigDict:
    return base_pictures.get_config(depth=34)
