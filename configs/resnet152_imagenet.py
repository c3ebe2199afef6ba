"""ResNet-152 on ImageNet: He et al. 2015, Tables 3 and 4, row "ResNet-152".

Published test error 21.43 / 5.71 % (10 crops); 60,192,808 parameters (11.3e9 multiply-adds in the paper).
Errors are top-1 / top-5. The multi-scale test (Table 4) has 19.38 / 4.49 %. The authors' released model has
23.0 / 6.7 % with one crop.

    python main.py --config=configs/resnet152_imagenet.py --config.dataset.manual_dir=DIR
"""

from ml_collections import ConfigDict

from configs import base_pictures


def get_config() -> ConfigDict:
    return base_pictures.get_config(depth=152)
