"""ResNet-18 and ResNet-50 on Imagenette, ten of ImageNet's classes: our choice, for one GPU or, shortened, for a CPU.

    python main.py --config=configs/imagenette.py:resnet50_160

| argument | published test error |
|---|---|
| resnet18_128, resnet18_160, resnet50_128, resnet50_160 | none |
| resnet18_128_5_epochs, resnet18_160_5_epochs, resnet50_128_5_epochs, resnet50_160_5_epochs | none |

The argument names the network, the size of its crops, and a shorter training if there is one. The recipe is that of
`resnet18_imagenette.py`: crops of random area and aspect ratio, 20 epochs of batches of 64, and a learning rate that
falls to zero by half a cosine. The test resizes the shorter side to 9/8 of the crop and takes the central crop. A
bottleneck's stride is in its 3x3 convolution.
"""

from ml_collections import ConfigDict

from configs import base, base_later_imagenet, resnet18_imagenette

NETWORKS = ('resnet18', 'resnet50')
ARGUMENTS = tuple(
    f'{network}_{size}{length}' for length in ('', '_5_epochs') for network in NETWORKS for size in (128, 160)
)


def get_config(argument: str = 'resnet18_128') -> ConfigDict:
    base.check_known('network', argument, ARGUMENTS)
    network, size, *length = argument.split('_')
    config = resnet18_imagenette.get_config()
    base_later_imagenet.set_network(config, network, NETWORKS)
    config.dataset.crop = int(size)
    config.pictures.test_shorter_side = int(size) * 9 // 8
    if length:
        config.train_for = ' '.join(length)
    return config
