"""ResNet-101 on ImageNet: He et al. 2015, Tables 3 and 4, row "ResNet-101".

Published test error 21.75 / 6.05 % (10 crops); 44,549,160 parameters (7.6e9 multiply-adds in the paper).
Errors are top-1 / top-5. The multi-scale test (Table 4) has 19.87 / 4.60 %. The authors' released model has
23.6 / 7.1 % with one crop.

    python main.py --config=configs/resnet101_imagenet.py --config.dataset.manual_dir=DIR
"""

from ml_collections import ConfigDict

from configs import base_pictures


def get_config() -> ConfigDict:
    return base_pictures.get_config(depth=101)
