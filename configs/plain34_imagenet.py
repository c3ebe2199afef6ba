"""Plain-34 on ImageNet: He et al. 2015, Tables 2 and 3, row "plain-34".

Published test error 28.54 / 10.02 % (10 crops); 21,623,848 parameters (3.6e9 multiply-adds in the paper).
Errors are top-1 / top-5.

    python main.py --config=configs/plain34_imagenet.py --config.dataset.manual_dir=DIR
"""

from ml_collections import ConfigDict

from configs import base_pictures


def get_config() -> ConfigDict:
    return base_pictures.get_config(name='imagenet_plain', depth=34)
