"""ResNet-34 with shortcut B on ImageNet: He et al. 2015, Tables 3 and 4, row "ResNet-34 B".

Published test error 24.52 / 7.46 % (10 crops); 21,797,672 parameters (3.6e9 multiply-adds in the paper).
Errors are top-1 / top-5. The multi-scale test (Table 4) has 21.84 / 5.71 %.

    python main.py --config=configs/resnet34b_imagenet.py --config.dataset.manual_dir=DIR
"""

from ml_collections import ConfigDict

from configs import base_pictures


def get_config() -> ConfigDict:
    return base_pictures.get_config(depth=34, shortcut='B')
