"""The table of a config's fields: name, type and range, meaning, and default of each.

The defaults are the recipe of He et al. 2015 on CIFAR-10 (section 4.2); (inferred) marks values that the paper does not
state. To add a field, add it to its group and read it where it acts, such as in `training/step.py`. To add a network,
add a group with the arguments of its function, and its name to `Network`.
"""

from collections.abc import Mapping
from enum import Enum
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from msgspec import NODEFAULT, Meta, Struct, structs, to_builtins

from jax_resnet.config.durations import PATTERN
from jax_resnet.own_parts import PATH, is_path


class Mark(Enum):
    """What else is known of a field.

    FREE: it may change when a run continues, and does not identify the run. It changes results at most by rounding.
    PICTURES: it has an effect only on pictures that stream. For other data it must have its default.
    """

    FREE = 'free'
    PICTURES = 'pictures'


FREE, PICTURES = Mark

Natural = Annotated[int, Meta(ge=0, lt=2**32)]
Count = Annotated[int, Meta(ge=1, lt=2**32)]
NotNegative = Annotated[float, Meta(ge=0, le=3.4e38)]  # float32 has no larger number
Positive = Annotated[float, Meta(ge=1.2e-38, le=3.4e38)]  # a smaller number is 0 in float32
Fraction = Annotated[float, Meta(ge=0, le=1)]
Share = Annotated[float, Meta(gt=0, le=1)]
Ratio = Annotated[float, Meta(ge=0.01, le=100)]
Rate = Annotated[float, Meta(ge=0, lt=1)]
Size = Annotated[int, Meta(ge=0, le=4096)]
Side = Annotated[int, Meta(ge=1, le=8192)]
# `*_every` is an interval, see `Clock.next_due`. Any other duration belongs to the recipe, and `shorten` divides it.
Duration = Annotated[str, Meta(pattern=PATTERN, title="a positive number and a unit, such as '2 epochs'")]


IMPORT_PATH = Meta(pattern=rf'^{PATH}\Z', title='an import path, package.module:name')


def one_of(*names: str) -> Meta:
    """Allows these names, in which <number> is any number, and the import path of an own part, see `own_parts`."""
    pattern = '|'.join(names).replace('<number>', r'-?[0-9]+(\.[0-9]+)?')
    listed = ', '.join(name or "''" for name in names)
    return Meta(pattern=rf'^({pattern}|{PATH})\Z', title=f'one of {listed}, or package.module:name')


class Group(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of fields."""


# fmt: off
class Dataset(Group, frozen=True):
    """The group `dataset`: the data, and what is common to images of all data sets."""

    name: Annotated[str, 'data set, such as cifar10; tfds/NAME is for pictures that TFDS has prepared'] = 'cifar10'
    data_dir: Annotated[str | None, FREE,
        'folder of prepared TFDS data; if empty: TFDS_DATA_DIR, or else ~/tensorflow_datasets'] = None
    manual_dir: Annotated[str | None, FREE,
        'folder with the original archive of CIFAR or ImageNet, which is read from it'] = None
    folder: Annotated[str | None, FREE, 'folder of pictures to read instead, with a folder for each class'] = None
    check: Annotated[Literal['headers', 'all', 'skip', 'none'], FREE, PICTURES,
        'check of all pictures before training: their headers only; a complete decoding; one that leaves out what '
        'cannot be decoded; or no check'] = 'headers'
    validation_fraction: Annotated[float, Meta(gt=0, le=0.9), PICTURES,
        'fraction of each class that is drawn for validation if the folder has no validation split'] = 0.2
    split_seed: Annotated[Natural, PICTURES, 'seed by which validation pictures are drawn, see validation_fraction'] = 0
    train: Annotated[str, "split to train on, in TFDS's syntax: 'train', 'train[:45000]'"] = 'train'
    validation: Annotated[str | None, "split to evaluate on, in addition to the test split: 'train[45000:]'"] = None
    test: Annotated[str, 'split to test on'] = 'test'
    normalization: Annotated[Literal['pixel_mean', 'channel', 'half'],
        'pixel_mean subtracts the mean image (the papers); channel uses channel_mean and channel_std; half uses '
        '0.5 and 0.5'] = 'pixel_mean'
    channel_mean: Annotated[tuple[Fraction, ...], 'mean of each channel'] = (0.4914, 0.4824, 0.4467)
    channel_std: Annotated[tuple[Share, ...], 'standard deviation of each channel'] = (0.2471, 0.2435, 0.2616)
    pad: Annotated[int, Meta(ge=0, le=1024), 'pixels added on each side before the random crop'] = 4
    pad_with: Annotated[Literal['zero', 'black', 'reflection'],
        'zero pads with zeros after normalization (inferred); black pads with black pixels before it; reflection '
        'pads with the mirrored image'] = 'zero'
    crop: Annotated[Size, "height and width of the random crop; 0 is the image's own size"] = 0
    flip: Annotated[bool, 'mirror training images with probability 1/2'] = True
    color_jitter: Annotated[Fraction, PICTURES,
        'largest relative change of brightness, contrast, saturation (0.4 is usual)'] = 0.0
    lighting: Annotated[float, Meta(ge=0, le=10), PICTURES,
        "standard deviation of AlexNet's PCA lighting (0.1 is usual)"] = 0.0
    augmentation: Annotated[Annotated[str, IMPORT_PATH] | None,
        'function of a key and a normalized image that changes each training image after all other changes'] = None
    test_crop: Annotated[Size,
        'height and width of the central crop in evaluation; 0 is the whole image, or crop for pictures'] = 0

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that a run reads."""
        return tuple(split for split in (self.train, self.validation, self.test) if split is not None)


class Pictures(Group, frozen=True):
    """The group `pictures`: decoding, crops and tests of pictures that stream."""

    view: Annotated[Literal['area', 'scale', 'centre'], PICTURES,
        'part of a picture for training: a random area and aspect ratio; a random crop at a random shorter_side; '
        'or the central crop'] = 'area'
    area: Annotated[tuple[Share, Share], PICTURES, "smallest and largest fraction of the picture's area"] = (0.08, 1.0)
    aspect_ratio: Annotated[tuple[Ratio, Ratio], PICTURES,
        'smallest and largest width / height'] = (3 / 4, 4 / 3)
    shorter_side: Annotated[tuple[Side, Side], PICTURES,
        'smallest and largest shorter side with view=scale, in pixels'] = (256, 480)
    test_shorter_side: Annotated[Side, PICTURES, 'shorter side of the picture before the central crop, in pixels'] = 256
    interpolation: Annotated[Literal['bilinear', 'bicubic'], PICTURES, "Pillow's filter for resizing"] = 'bilinear'
    exif_rotation: Annotated[bool, PICTURES, 'rotate pictures by their EXIF orientation'] = False
    protocol: Annotated[Literal['center', 'ten_crop', 'multi_scale'], PICTURES,
        'test at the end, in addition to the central crop: none; ten crops of each picture; or the whole picture '
        'at five scales'] = 'center'
    average: Annotated[Literal['softmax', 'logits'], PICTURES,
        'scores that are averaged over the views of a picture'] = 'softmax'
    threads: Annotated[int, Meta(ge=0, le=1024), FREE, PICTURES,
        'decoding threads in each process; 0 divides the CPU cores among the processes'] = 0
    processes: Annotated[int, Meta(ge=0, le=256), FREE, PICTURES,
        'decoding processes; 0 decodes in the training process'] = 0


Unit = Annotated[
    str,
    one_of('basic', 'bottleneck', 'one_layer', 'three_layer'),
    'convolutions of a unit: two of 3x3; 1x1, 3x3 and 1x1; one of 3x3; or three of 3x3',
]
Order = Annotated[
    str,
    one_of('original', 'bn_after_addition', 'relu_before_addition', 'relu_only_preactivation', 'full_preactivation'),
    'order of convolution, BatchNorm, ReLU and addition (2016, Figure 4)',
]
Shortcut = Annotated[
    str,
    one_of(
        '', 'A', 'A_centred', 'B', 'C', 'none', 'dropout', 'scaling_<number>_<number>', 'exclusive_gating_<number>',
        'shortcut_only_gating_<number>',
    ),
    'shortcut around each unit: A pads the identity with zeros; B projects where shapes change; C projects everywhere; '
    "'' is B for bottlenecks, and A for other units; the numbers are the factors of shortcut and branch, or the gate's "
    'initial bias',
]
NoShortcut = Annotated[Literal['none'], 'shortcut around each unit: a plain network has none']
Classes = Annotated[Natural, "number of outputs: the data set's classes"]
Initialization = Annotated[
    str,
    one_of('fan_out', 'fan_out_small_head', 'fan_in', 'lecun'),
    "He's by fan-out, with a uniform head (inferred); the same, with N(0, 0.01) for the head; He's by fan-in, for the "
    "head too; or LeCun's, for the head too",
]
ZeroLastScale = Annotated[bool, "initialize the scale of each branch's last BatchNorm with zero (Goyal et al. 2017)"]
CifarDepth = Annotated[
    Count, 'weighted layers: 6n+2 of basic units, 9n+2 of bottlenecks or three-layer units, 3n+2 of one-layer units'
]
CifarStages = Annotated[
    tuple[Count, ...],
    'units in each of the three stages; their sum must fit the depth; () gives each stage the same number',
]


class Named(Group, frozen=True, tag_field='name'):
    """A group `model`: the name of a network, and the arguments of the function with this name in `models`."""

    @property
    def name(self) -> str:
        """The network's name."""
        return str(self.__struct_config__.tag)


class CifarResNet(Named, frozen=True, tag='cifar_resnet'):
    depth: CifarDepth
    unit: Unit = 'basic'
    order: Order = 'original'
    shortcut: Shortcut = ''
    stage_sizes: CifarStages = ()
    num_classes: Classes = 10
    initialization: Initialization = 'fan_out'
    zero_last_scale: ZeroLastScale = False


class CifarPlain(Named, frozen=True, tag='cifar_plain'):
    depth: CifarDepth
    unit: Unit = 'basic'
    order: Order = 'original'
    shortcut: NoShortcut = 'none'
    stage_sizes: CifarStages = ()
    num_classes: Classes = 10
    initialization: Initialization = 'fan_out'


class CifarWideResNet(Named, frozen=True, tag='cifar_wide_resnet'):
    depth: Annotated[Count, 'weighted layers: 6n+4']
    width_factor: Annotated[Count, 'factor of the 16, 32 and 64 channels of the stages'] = 10
    dropout: Annotated[Rate, 'rate of dropout between the two convolutions of each unit'] = 0.0
    num_classes: Classes = 10
    initialization: Initialization = 'fan_out'


class ImageNetResNet(Named, frozen=True, tag='imagenet_resnet'):
    depth: Annotated[Count, 'weighted layers: 18, 34 (basic units), 26, 50, 101, 152, 200 (bottlenecks)']
    order: Order = 'original'
    shortcut: Shortcut = ''
    num_classes: Classes = 1000
    initialization: Initialization = 'fan_out'
    zero_last_scale: ZeroLastScale = False
    v1_5: Annotated[bool, 'put the stride of a bottleneck in its 3x3 convolution, like torchvision'] = False
    width_factor: Annotated[Count, 'factor of the channels inside bottlenecks; 2 is wide_resnet50_2'] = 1
    groups: Annotated[Count, "groups of a bottleneck's 3x3 convolution; 32 of width 4 are ResNeXt 32x4d"] = 1
    group_width: Annotated[Natural, 'channels of each group in the first stage; 0 without groups'] = 0
    cifar_stem: Annotated[bool, 'begin with a 3x3 convolution without stride and pooling, for small images'] = False


class ImageNetPlain(Named, frozen=True, tag='imagenet_plain'):
    depth: Annotated[Count, 'weighted layers: 18 or 34']
    order: Order = 'original'
    shortcut: NoShortcut = 'none'
    num_classes: Classes = 1000
    initialization: Initialization = 'fan_out'


class ScaledResNet(Named, frozen=True, tag='scaled_resnet'):
    stage_sizes: Annotated[tuple[Count, ...], Meta(min_length=1, max_length=5), 'units in each stage'] = (3, 3)
    width: Annotated[Count, 'channels of the stem and the first stage; each later stage has twice as many'] = 128
    windows: Annotated[tuple[Count, ...], 'kernel size of the convolutions of each stage, odd'] = (3, 3)
    shortcut_windows: Annotated[tuple[Count, ...], 'kernel size of the projection of each stage, odd'] = (3, 3)
    pooled_size: Annotated[Count, 'height and width of the last feature map after the pooling'] = 1
    drop_block: Annotated[Rate, 'rate of DropBlock before the pooling'] = 0.0
    dropout: Annotated[Rate, 'rate of dropout on the pooled features'] = 0.0
    parameter_limit: Annotated[Natural, 'largest number of parameters; 0 is no limit'] = 5_000_000
    num_classes: Classes = 10
    initialization: Initialization = 'fan_out'


class Identity4(Named, frozen=True, tag='identity4'):
    stage_sizes: Annotated[tuple[Count, ...], Meta(min_length=4, max_length=4), 'units in each stage'] = (2, 2, 2, 2)
    num_classes: Classes = 10
    initialization: Initialization = 'fan_out'


class OwnNetwork(Named, frozen=True, tag='own'):
    function: Annotated[str, IMPORT_PATH, 'function that takes num_classes and attributes of ResNet, and makes one']
    num_classes: Classes = 10


Network = (
    CifarResNet | CifarPlain | CifarWideResNet | ImageNetResNet | ImageNetPlain | ScaledResNet | Identity4 | OwnNetwork
)


class Optimizer(Group, frozen=True):
    name: Annotated[str, one_of('sgd', 'adam'), 'the optimizer'] = 'sgd'
    momentum: Annotated[Fraction, 'momentum of SGD, or b1 of Adam'] = 0.9
    momentum_of: Annotated[Literal['gradients', 'steps'],
        'what the momentum sums: gradients, and the sum is multiplied by the current learning rate (PyTorch; '
        'inferred); or steps, each a gradient multiplied by the learning rate of its own step (Caffe)'] = 'gradients'
    nesterov: Annotated[bool, "use Nesterov's momentum"] = False
    weight_decay: Annotated[NotNegative, 'factor of the parameter that is added to its gradient (coupled L2)'] = 1e-4
    decay: Annotated[str, one_of('kernels', 'all_but_batch_norm', 'all'),
        "parameters that decay: kernels (inferred); all except BatchNorm's scales and biases; or all"] = 'kernels'
    frozen: Annotated[tuple[str, ...],
        'layers whose parameters do not change: stem,stage1,stage2/unit1; see also batch_norm.frozen'] = ()


class Loss(Group, frozen=True):
    label_smoothing: Annotated[Rate, 'share of each label that is spread over all classes'] = 0.0


class Schedule(Group, frozen=True):
    """The group `schedule`: the learning rate."""

    name: Annotated[str, one_of('piecewise', 'cosine'),
        'constant between drops; or half a cosine that falls to zero at the end'] = 'piecewise'
    learning_rate: Annotated[Positive, 'learning rate after the warm-up and before the first drop'] = 0.1
    drop_at: Annotated[tuple[Duration, ...],
        'when the learning rate is multiplied by factor'] = ( '32000 steps', '48000 steps', )
    factor: Annotated[Share, 'factor of each drop'] = 0.1
    head_factor: Annotated[float, Meta(gt=0, le=1e6),
        "factor of the head's learning rate, relative to the other layers"] = 1.0
    warmup_shape: Annotated[Literal['constant', 'linear'],
        'constant at warmup_learning_rate, or rising from it'] = 'constant'
    warmup_for: Annotated[Duration | None, 'length of the warm-up'] = None
    warmup_learning_rate: Annotated[NotNegative | None,
        'learning rate of a constant warm-up, or at the start of a linear one'] = None


class BatchNorm(Group, frozen=True):
    group_size: Annotated[Natural, 'examples that are normalized together; 0 is the whole batch'] = 64
    momentum: Annotated[Rate, 'weight of the old running statistics at each step (inferred)'] = 0.9
    epsilon: Annotated[Share, 'constant that is added to the variance (inferred)'] = 1e-5
    frozen: Annotated[bool, 'in training, too, normalize by the running statistics of init_from, and keep them'] = False


class Memory(Group, frozen=True):
    """The group `memory`: ways to need less of it."""

    rematerialize: Annotated[bool, FREE,
        'keep only the input of each unit, and compute the unit again in the backward pass'] = False
    microbatches: Annotated[Count, FREE,
        'parts of a batch that are computed one after another, with one update; another number changes results by '
        'rounding, and the random draws of dropout'] = 1


class Precision(Group, frozen=True):
    compute: Annotated[Literal['float32', 'bfloat16'],
        'type of activations; parameters and statistics are float32'] = 'float32'
    matmul: Annotated[Literal['default', 'float32'],
        "precision of float32 products and convolutions: the platform's default (TF32 on an NVIDIA GPU), or "
        'float32'] = 'default'
    deterministic: Annotated[bool, FREE, 'on a GPU, compute the same bits in each start; slower'] = False


class Gpu(Group, frozen=True):
    graphs: Annotated[bool, FREE,
        'on a GPU, launch the operations of many steps as one CUDA graph; False if graphs cause errors'] = True
    flat_arrays: Annotated[bool, FREE,
        "on a GPU, join the network's arrays to a few flat ones, for fewer operations"] = True
    batch_norm_sums: Annotated[bool, FREE,
        "on a GPU, compute BatchNorm's two sums in one pass, with a hand-written gradient"] = True


class Parallel(Group, frozen=True):
    devices: Annotated[Count | None, FREE, 'devices of all processes that share a batch; if empty: all devices'] = None


class Config(Group, frozen=True):
    """All fields."""

    seed: Annotated[Natural, 'seed of all random draws'] = 0
    data_seed: Annotated[Natural | None,
        'seed of the order of the examples, the augmentation and dropout; if empty: seed, which then gives the initial '
        'weights as well'] = None
    batch_size: Annotated[Count, 'number of examples in a step'] = 128
    train_for: Annotated[Duration, 'length of training in steps, epochs or examples'] = '64000 steps'
    shorten: Annotated[Count,
        'divides the length of training, the times of the drops, and the warm-up; each is rounded up to a step'] = 1
    init_from: Annotated[str | None,
        'run folder, weights file, or name on the Hub, with the initial weights; a head with another number of '
        'classes is initialized at random'] = None
    evaluate_every: Annotated[Duration, FREE,
        'interval between evaluations; each one adds a line to metrics.jsonl'] = '1 epoch'
    checkpoint_every: Annotated[Duration, FREE, 'interval between checkpoints; the last two are kept'] = '1 epoch'
    keep_every: Annotated[Duration | None, FREE, 'interval between checkpoints that are never deleted'] = None
    log_every: Annotated[Duration, FREE,
        'interval between lines of progress if the output is not a terminal'] = '100 steps'
    dataset: Dataset = Dataset()
    pictures: Pictures = Pictures()
    model: Network = CifarResNet(depth=20)
    optimizer: Optimizer = Optimizer()
    loss: Loss = Loss()
    schedule: Schedule = Schedule()
    batch_norm: BatchNorm = BatchNorm()
    memory: Memory = Memory()
    precision: Precision = Precision()
    gpu: Gpu = Gpu()
    parallel: Parallel = Parallel()

    @property
    def stream_seed(self) -> int:
        """The seed of the order of the examples, the augmentation and dropout."""
        return self.seed if self.data_seed is None else self.data_seed

    @property
    def length(self) -> str:
        """The length of training for a person: '64000 steps', or '64000 steps, shortened 32 times'."""
        return self.train_for + (f', shortened {self.shorten} times' if self.shorten > 1 else '')
# fmt: on


class Field(NamedTuple):
    """A field of the table.

    Attributes:
        scalar: bool, int, float or str; of a tuple, the type of its elements.
        is_tuple: whether it is a tuple.
        optional: whether it may be None.
        default: its default; NODEFAULT if it must be given.
        meaning: its description.
        allowed: a description of the allowed values, to follow 'must be'.
        marks: what else is known of it.
    """

    scalar: type
    is_tuple: bool
    optional: bool
    default: Any
    meaning: str
    allowed: str
    marks: frozenset[Mark]


def list_fields(group: type[Group]) -> dict[str, Field]:
    """The fields of a group, by dotted name. For a config, `fields_with` adds those of its network."""
    found: dict[str, Field] = {}
    for field in structs.fields(group):
        if isinstance(field.type, type) and issubclass(field.type, Group):
            found |= {f'{field.name}.{name}': inner for name, inner in list_fields(field.type).items()}
        elif field.type != Network:
            scalar, optional, notes = _parts(field.type)
            meaning = [note for note in notes if isinstance(note, str)][-1]
            marks = frozenset(note for note in notes if isinstance(note, Mark))
            is_tuple = get_origin(scalar) is tuple
            if is_tuple:
                scalar, _, _ = _parts(get_args(scalar)[0])
            scalar = str if get_origin(scalar) is Literal else scalar
            found[field.name] = Field(scalar, is_tuple, optional, field.default, meaning, _allowed(field.type), marks)
    return found


def _parts(annotation: Any) -> tuple[Any, bool, list[Any]]:
    """Splits an annotation into its type, whether None is allowed, and its notes."""
    notes: list[Any] = []
    optional = False
    while True:
        if get_origin(annotation) is Annotated:
            notes = [*annotation.__metadata__, *notes]
            annotation = annotation.__origin__
        elif NoneType in get_args(annotation):
            optional = True
            annotation = next(one for one in get_args(annotation) if one is not NoneType)
        else:
            return annotation, optional, notes


def _allowed(annotation: Any) -> str:
    """Describes the allowed values of an annotated type."""
    scalar, optional, notes = _parts(annotation)
    metas = [note for note in notes if isinstance(note, Meta)]
    title = next((meta.title for meta in metas if meta.title), None)
    if title:
        words = title
    elif get_origin(scalar) is Literal:
        words = f'one of {", ".join(get_args(scalar))}'
    elif get_origin(scalar) is tuple:
        first, *others = get_args(scalar)
        count = '' if ... in others else f'{1 + len(others)} x '
        words = f'a tuple of {count}({_allowed(first)})'
    else:
        words = {bool: 'True or False', int: 'an integer', float: 'a number', str: 'a string'}[scalar]
    limits = {'ge': 'at least', 'gt': 'above', 'le': 'at most', 'lt': 'below'}
    limits |= {'min_length': 'at least', 'max_length': 'at most'}
    bounds = [(limit, getattr(meta, name)) for meta in metas for name, limit in limits.items()]
    words = ', '.join([words, *(f'{limit} {bound:,}' for limit, bound in bounds if bound is not None)])
    return words + (', or None' if optional else '')


NETWORKS: dict[str, type[Named]] = {str(network.__struct_config__.tag): network for network in get_args(Network)}
NAME = Field(
    str, False, False, NODEFAULT, 'the network', f'one of {", ".join(NETWORKS)}, or package.module:name', frozenset()
)
FIELDS = list_fields(Config) | {'model.name': NAME}
"""The fields that a config of every network has, by dotted name."""


def fields_with(network: str | None = None) -> dict[str, Field]:
    """The fields of a config with this network, by dotted name; or, without a network, with any of them."""
    networks = NETWORKS if network is None else [network]
    return FIELDS | {f'model.{name}': field for one in networks for name, field in list_fields(NETWORKS[one]).items()}


def flatten(config: Group | Mapping[str, Any]) -> dict[str, Any]:
    """The values of a config by dotted name: {'dataset.name': 'cifar10', ...}."""
    flat: dict[str, Any] = {}
    for name, value in (to_builtins(config) if isinstance(config, Group) else config).items():
        flat |= {f'{name}.{k}': v for k, v in value.items()} if isinstance(value, Mapping) else {name: value}
    return flat


def own_parts(config: Config) -> list[str]:
    """The import paths of own parts in a config."""
    return [value for value in flatten(config).values() if is_path(value)]


def describe(config: Config) -> str:
    """Two lines for each field of a config: name and value; meaning and allowed values."""
    values = flatten(config)
    return '\n'.join(
        f'  {name}={"" if values[name] is None else values[name]}\n      {field.meaning} ({field.allowed})'
        for name, field in sorted(fields_with(config.model.name).items())
    )
