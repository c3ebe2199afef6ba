"""ResNet-110 on CIFAR-100, by the recipe of He et al. 2015 for CIFAR-10 (the paper has no CIFAR-100 table).

No published number by this recipe (the Report's, another recipe: 28.49 %); 1,733,812 parameters.

    python main.py --config=configs/resnet110_cifar100.py
"""

from ml_collections import ConfigDict

from configs import resnet110_cifar10


def get_config() -> ConfigDict:
    config = resnet110_cifar10.get_config()
    config.dataset.name = 'cifar100'
    config.model.num_classes = 100
    return config
