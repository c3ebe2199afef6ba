"""ResNet-50 on ImageNet: He et al. 2015, Tables 3 and 4, row "ResNet-50".

Published test error 22.85 / 6.71 % (10 crops); 25,557,032 parameters (3.8e9 multiply-adds in the paper).
Errors are top-1 / top-5. The multi-scale test (Table 4) has 20.74 / 5.25 %. The authors' released model has
24.7 / 7.8 % with one crop.

    python main.py --config=configs/resnet50_imagenet.py --config.dataset.manual_dir=DIR
"""

from ml_collections import ConfigDict

from configs import base_pictures


def get_config() -> ConfigDict:
    return base_pictures.get_config(depth=50)
