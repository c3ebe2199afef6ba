"""The base of all configs: all fields, with the recipe of He et al. 2015 on CIFAR-10 (section 4.2).

`jax_resnet/config/fields.py` explains each field. Arguments of the network that are missing here have the defaults in
`jax_resnet/config/model_fields.py`; for example, the shortcut is A, or B for bottlenecks. (inferred) marks values that
the paper does not state.
"""

import re
from collections.abc import Iterable, Sequence

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder


def get_config() -> ConfigDict:
    """Returns 64,000 steps of 128, learning rate 0.1, divided by 10 at 32,000 and 48,000, weight decay 0.0001."""
    return ConfigDict(
        {
            'seed': 0,
            'batch_size': 128,
            'train_for': '64000 steps',
            'init_from': placeholder(str),
            'evaluate_every': '1 epoch',
            'checkpoint_every': '1 epoch',
            'keep_every': placeholder(str),
            'log_every': '100 steps',
            'dataset': {
                'name': 'cifar10',
                'data_dir': placeholder(str),
                'manual_dir': placeholder(str),
                'folder': placeholder(str),
                'check': 'headers',
                'validation_fraction': 0.2,
                'split_seed': 0,
                'train': 'train',
                'validation': placeholder(str),
                'test': 'test',
                'normalization': 'pixel_mean',
                'channel_mean': (0.4914, 0.4824, 0.4467),
                'channel_std': (0.2471, 0.2435, 0.2616),
                'pad': 4,
                'pad_with': 'zero',  # (inferred)
                'crop': 0,
                'flip': True,
                'color_jitter': 0.0,
                'lighting': 0.0,
                'test_crop': 0,
            },
            'pictures': {  # used only for data that streams
                'view': 'area',
                'area': (0.08, 1.0),
                'aspect_ratio': (3 / 4, 4 / 3),
                'shorter_side': (256, 480),
                'test_shorter_side': 256,
                'interpolation': 'bilinear',
                'exif_rotation': False,
                'protocol': 'center',
                'average': 'softmax',
                'threads': 0,
                'processes': 0,
            },
            'model': {
                'name': 'cifar_resnet',
                'depth': 20,
                'num_classes': 10,
                'initialization': 'fan_out',  # (inferred)
            },
            'optimizer': {
                'name': 'sgd',
                'momentum': 0.9,
                'momentum_of': 'gradients',  # (inferred)
                'nesterov': False,
                'weight_decay': 1e-4,
                'decay': 'kernels',  # (inferred)
            },
            'loss': {'label_smoothing': 0.0},
            'schedule': {
                'name': 'piecewise',
                'learning_rate': 0.1,
                'drop_at': ('32000 steps', '48000 steps'),
                'factor': 0.1,
                'head_factor': 1.0,
                'warmup_shape': 'constant',
                'warmup_for': placeholder(str),
                'warmup_learning_rate': placeholder(float),
            },
            'batch_norm': {'group_size': 64, 'momentum': 0.9, 'epsilon': 1e-5},  # momentum, epsilon: (inferred)
            'memory': {'rematerialize': False, 'microbatches': 1},
            'precision': {'compute': 'float32', 'matmul': 'default', 'deterministic': False},
            'gpu': {'graphs': True, 'flat_arrays': True, 'batch_norm_sums': True},
            'parallel': {'devices': placeholder(int)},
        }
    )


def set_network(config: ConfigDict, network: str, known: Sequence[str]) -> None:
    """Sets `config.model` to a network such as 'resnet56' or 'plain20'. Raises ValueError if it is not `known`."""
    check_known('network', network, known)
    preact, kind, depth = re.fullmatch(r'(preact_)?(resnet|plain)(\d+)', network).groups()
    config.model.name = f'cifar_{kind}'
    config.model.depth = int(depth)
    if preact:
        config.model.order = 'full_preactivation'


def check_known(kind: str, name: str, known: Iterable[str]) -> None:
    """Raises ValueError, which lists the known names, if a config file's argument is not one of them."""
    known = list(known)
    if name not in known:
        raise ValueError(f'unknown {kind} {name!r}; known are {", ".join(known)}')
