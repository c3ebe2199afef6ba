"""ResNet-56 on CIFAR-100, by the recipe of He et al. 2015 for CIFAR-10 (the paper has no CIFAR-100 table).

No published number by this recipe (the Report's, another recipe: 29.88 %); 858,868 parameters.

    python main.py --config=configs/resnet56_cifar100.py
"""

from ml_collections import ConfigDict

from configs import resnet56_cifar10


def get_config() -> ConfigDict:
    config = resnet56_cifar10.get_config()
    config.dataset.name = 'cifar100'
    config.model.num_classes = 100
    return config
