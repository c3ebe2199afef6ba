"""ResNet-34 with shortcut C on ImageNet: He et al. 2015, Tables 3 and 4, row "ResNet-34 C".

Published test error 24.19 / 7.40 % (10 crops); 22,716,840 parameters (3.6e9 multiply-adds in the paper).
Errors are top-1 / top-5. The multi-scale test (Table 4) has 21.53 / 5.60 %.

    python main.py --config=configs/resnet34c_imagenet.py --config.dataset.manual_dir=DIR
"""

from ml_collections import ConfigDict

from configs import base_pictures


def get_config() -> ConfigDict:
    return base_pictures.get_config(depth=34, shortcut='C')
