"""The arguments of the networks in `models` as fields of `config.model`: defaults, meanings and allowed values.

This is a table because programs that read run folders need the defaults without importing JAX. Tests compare it with
the functions.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from jax_resnet.config.kinds import Field, choice, flag, is_whole, sequence, whole

REQUIRED = object()
"""Replaces the default of an argument that must be given."""


class Argument(NamedTuple):
    """An argument of a network: its default and its field."""

    default: Any
    field: Field


_UNITS = ('basic', 'bottleneck', 'one_layer', 'three_layer')
_ORDERS = ('original', 'bn_after_addition', 'relu_before_addition', 'relu_only_preactivation', 'full_preactivation')
_NUMBER = r'_-?[0-9]+(\.[0-9]+)?'
_SHORTCUT = f'|A|A_centred|B|C|none|dropout|scaling({_NUMBER}){{2}}|(exclusive_gating|shortcut_only_gating){_NUMBER}'


def _counts(meaning: str, allowed: str, lengths: Iterable[int]) -> Field:
    return sequence(meaning, allowed, lambda v: is_whole(v, 1), lengths)


def _odd_sizes(meaning: str) -> Field:
    return sequence(meaning, 'odd sizes, one for each stage', lambda v: is_whole(v, 1) and v % 2 == 1)


def _rate(meaning: str) -> Field:
    words = 'a finite number, at least 0 and below 1'
    return Field(meaning, words, lambda v: type(v) in (int, float) and 0 <= v < 1)


_ORDER = Argument('original', choice(_ORDERS, 'order of convolution, BatchNorm, ReLU and addition (2016, Figure 4)'))
_SHORTCUTS = Field(
    'shortcut around each unit: A pads the identity with zeros; B projects where shapes change; C projects everywhere; '
    "'' is B for bottlenecks, and A for other units",
    "'', A, A_centred, B, C, none, dropout, scaling_<shortcut's factor>_<branch's>, exclusive_gating_<initial bias> or "
    'shortcut_only_gating_<initial bias>',
    lambda v: re.fullmatch(_SHORTCUT, v) is not None,
)
_NO_SHORTCUT = Argument('none', Field('shortcut around each unit', "'none' in a plain network", lambda v: v == 'none'))
_ZERO_LAST_SCALE = Argument(
    False, flag("initialize the scale of each branch's last BatchNorm with zero (Goyal et al. 2017)")
)
_CLASSES = whole(0, "number of outputs: the data set's classes")
_ENDS = {
    'initialization': Argument(
        'fan_out',
        choice(
            ['fan_out', 'fan_out_small_head', 'fan_in', 'lecun'],
            "He's by fan-out, with a uniform head; the same, with N(0, 0.01) for the head; He's by fan-in, for the "
            "head too; or LeCun's, for the head too",
        ),
    )
}
_CIFAR = {
    'depth': Argument(
        REQUIRED,
        whole(
            1,
            'weighted layers: 6n+2 of basic units, 9n+2 of bottlenecks or three-layer units, 3n+2 of one-layer units',
        ),
    ),
    'unit': Argument(
        'basic', choice(_UNITS, 'convolutions of a unit: two of 3x3; 1x1, 3x3 and 1x1; one of 3x3; or three of 3x3')
    ),
    'order': _ORDER,
    'shortcut': Argument('', _SHORTCUTS),
    'stage_sizes': Argument(
        (),
        _counts(
            'units in each of the three stages; their sum must fit the depth; () gives each stage the same number',
            '3 counts, or ()',
            (0, 3),
        ),
    ),
    'num_classes': Argument(10, _CLASSES),
} | _ENDS
_IMAGENET_PLAIN = {
    'depth': Argument(REQUIRED, whole(1, 'weighted layers: 18 or 34')),
    'order': _ORDER,
    'shortcut': _NO_SHORTCUT,
    'num_classes': Argument(1000, _CLASSES),
} | _ENDS

ARGUMENTS: Mapping[str, Mapping[str, Argument]] = {
    'cifar_resnet': _CIFAR | {'zero_last_scale': _ZERO_LAST_SCALE},
    'cifar_plain': _CIFAR | {'shortcut': _NO_SHORTCUT},
    'imagenet_resnet': _IMAGENET_PLAIN
    | {
        'depth': Argument(REQUIRED, whole(1, 'weighted layers: 18, 34 (basic units), 50, 101, 152, 200 (bottlenecks)')),
        'shortcut': Argument('', _SHORTCUTS),
        'zero_last_scale': _ZERO_LAST_SCALE,
        'v1_5': Argument(False, flag('put the stride of a bottleneck in its 3x3 convolution, like torchvision')),
    },
    'imagenet_plain': _IMAGENET_PLAIN,
    'scaled_resnet': {
        'stage_sizes': Argument((3, 3), _counts('units in each stage', '1 to 5 counts', range(1, 6))),
        'width': Argument(
            128, whole(1, 'channels of the stem and the first stage; each later stage has twice as many')
        ),
        'windows': Argument((3, 3), _odd_sizes('kernel size of the convolutions')),
        'shortcut_windows': Argument((3, 3), _odd_sizes('kernel size of the projections')),
        'pooled_size': Argument(1, whole(1, 'height and width of the last feature map after the pooling')),
        'drop_block': Argument(0.0, _rate('rate of DropBlock before the pooling')),
        'dropout': Argument(0.0, _rate('rate of dropout on the pooled features')),
        'parameter_limit': Argument(5_000_000, whole(0, 'largest number of parameters; 0 is no limit')),
        'num_classes': Argument(10, _CLASSES),
    }
    | _ENDS,
    'identity4': {
        'stage_sizes': Argument((2, 2, 2, 2), _counts('units in each stage', '4 counts', [4])),
        'num_classes': Argument(10, _CLASSES),
    }
    | _ENDS,
}
"""Arguments by the network's name and the argument's name."""

NETWORK = choice(ARGUMENTS, 'the network')
"""The field `model.name`."""


def arguments_of(network: Any) -> Mapping[str, Argument]:
    """The arguments of a network; an empty mapping for an unknown network."""
    return ARGUMENTS.get(network, {}) if isinstance(network, str) else {}


def effective_shortcut(model: Mapping[str, Any]) -> Any:
    """The shortcut that a network uses. A value of '' becomes the default, as in `models`.

    Args:
        model: the network's name and its arguments.
    """
    if model.get('shortcut') != '':
        return model.get('shortcut')
    is_deep = model.get('name') == 'imagenet_resnet' and model.get('depth') not in (18, 34)
    return 'B' if is_deep or model.get('unit') == 'bottleneck' else 'A'
