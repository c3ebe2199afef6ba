"""Pretrained networks by their names on the Hugging Face Hub, such as 'timm/resnet50.a1_in1k'.

Two files are read: config.json, which describes the network and its input, and model.safetensors. huggingface_hub
fetches them, so its cache and environment variables (HF_HOME, HF_ENDPOINT, HF_HUB_OFFLINE, HF_TOKEN) work as usual. A
copy in the cache is used without asking the Hub.
"""

import logging
import re
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from jax_resnet.config.fields import Config, Count, Positive
from jax_resnet.config.loading import as_config
from jax_resnet.data.pictures.imagenet import IMAGENET_CLASSES
from jax_resnet.data.preprocessing import channel
from jax_resnet.errors import DataError
from jax_resnet.models.networks import IMAGENET_STAGES
from jax_resnet.runs import weights
from jax_resnet.runs.outputs import Preprocessing
from jax_resnet.runs.weights import Weights

_log = logging.getLogger(__name__)

OWNERS = ('timm', 'microsoft', 'torchvision')
"""Names that begin so are on the Hub. Those of other owners are given as hf://OWNER/NAME."""

PREFIX = 'hf://'

NAME = re.compile(rf'({PREFIX})?([\w.-]+)/([\w.-]+)(?:@(\S+))?')
"""The prefix, the owner, the name of the repository, and a revision: a branch, a tag or a commit."""

REASONS = {
    'RepositoryNotFoundError': 'the Hub has no such repository, or it is private and needs a token (HF_TOKEN)',
    'GatedRepoError': 'access to this repository must be requested there, and needs a token (HF_TOKEN)',
    'RevisionNotFoundError': 'the repository has no such revision',
    'RemoteEntryNotFoundError': 'the repository does not have this file',
}
"""What errors of huggingface_hub mean."""

ARCHITECTURE = re.compile(r'resnet(18|26|34|50|101|152|200)|wide_resnet(50|101)_2|resnext(50|101)_(\d+)x(\d+)d')
"""The architectures of timm that are networks of this package."""

Channels = tuple[float, float, float]


class TimmInput(Struct):
    """The part of timm's config.json that says how pictures become the input. The defaults are timm's."""

    input_size: tuple[Count, Count, Count] = (3, 224, 224)
    test_input_size: tuple[Count, Count, Count] | None = None
    crop_pct: Positive = 0.875
    test_crop_pct: Positive | None = None
    crop_mode: Literal['center'] = 'center'
    interpolation: str = 'bicubic'
    mean: Channels = (0.485, 0.456, 0.406)
    std: Channels = (0.229, 0.224, 0.225)
    label_names: tuple[str, ...] | None = None


class Timm(Struct):
    """config.json of a repository of timm."""

    architecture: str
    num_classes: int
    pretrained_cfg: TimmInput
    global_pool: Literal['avg'] = 'avg'
    model_args: dict[str, Any] = {}
    label_names: tuple[str, ...] | None = None


class Transformers(Struct):
    """config.json of a ResNetForImageClassification. The defaults are those of transformers' ResNetConfig."""

    architectures: tuple[Literal['ResNetForImageClassification']]
    id2label: dict[int, str]
    num_channels: Literal[3] = 3
    embedding_size: Literal[64] = 64
    hidden_sizes: tuple[int, ...] = (256, 512, 1024, 2048)
    depths: tuple[int, ...] = (3, 4, 6, 3)
    layer_type: str = 'bottleneck'
    hidden_act: Literal['relu'] = 'relu'
    downsample_in_first_stage: bool = False
    downsample_in_bottleneck: bool = False


def is_name(path: str | Path) -> bool:
    """Whether a string is the name of a network on the Hub, and not of a file or folder that exists."""
    match = NAME.fullmatch(str(path))
    return match is not None and (match[1] is not None or match[2] in OWNERS) and not Path(path).exists()


def read(name: str) -> Weights:
    """Reads a network from the Hub, or from huggingface_hub's cache. `Weights.path` has the resolved commit.

    Args:
        name: see `is_name`. `torchvision/NAME` means the Hub's copy of torchvision's weights, `timm/NAME.tv_in1k`, or
            of its second weights, `timm/NAME.tv2_in1k`, if NAME ends in `_v2`.

    Raises:
        DataError: the files can neither be fetched nor found in the cache; or config.json is damaged, or describes a
            network that this package does not have.
    """
    _, owner, repository, revision = NAME.fullmatch(name).groups()  # type: ignore[union-attr]
    if owner == 'torchvision':
        tag = 'tv2' if repository.endswith('_v2') else 'tv'
        owner, repository = 'timm', f'{repository.removesuffix("_v2")}.{tag}_in1k'
    file = _fetched(name, f'{owner}/{repository}', 'config.json', revision)
    commit = file.parent.name
    known = Path(f'{owner}/{repository}@{commit}')
    content = file.read_bytes()
    is_timm = b'"architecture"' in content
    try:
        if not is_timm and owner != 'microsoft':
            _log.warning('%s: config.json does not describe the input; that of microsoft/resnet-50 is assumed', known)
        described: Any = msgspec.json.decode(content, type=Timm if is_timm else Transformers)
        config, names = (_timm_config if is_timm else _transformers_config)(described)
    except (msgspec.MsgspecError, ValueError, RecursionError) as e:
        raise DataError(f'{known}: config.json: {e}') from None
    normalize, size = channel(config.dataset.channel_mean, config.dataset.channel_std), config.dataset.crop
    about = Preprocessing(*normalize, 0, (size, size, 3), names)
    arrays = weights.read(_fetched(name, f'{owner}/{repository}', 'model.safetensors', commit)).arrays
    return Weights(known, arrays, config, about)


def _fetched(name: str, repository: str, file: str, revision: str | None) -> Path:
    import huggingface_hub as hub

    try:
        cached = hub.try_to_load_from_cache(repository, file, revision=revision)
        if isinstance(cached, str):
            return Path(cached)
        # hf_hub_download would try for a minute to reach a host that does not answer
        hub.get_hf_file_metadata(hub.hf_hub_url(repository, file, revision=revision))
        return Path(hub.hf_hub_download(repository, file, revision=revision))
    except Exception as e:  # of huggingface_hub, its HTTP client and the disk, without a common type
        reason = REASONS.get(type(e).__name__, f'{type(e).__name__}: {" ".join(str(e).split())[:200]}')
        raise DataError(
            f'{name}: {file} is not in the cache, {hub.constants.HF_HUB_CACHE}, and cannot be fetched from '
            f'{hub.constants.ENDPOINT} ({reason}); without the Hub, give a .safetensors file and --config=FILE'
        ) from None


def _timm_config(found: Timm) -> tuple[Config, tuple[str, ...]]:
    """Returns the config and the class names. Raises ValueError if this package does not have the network."""
    match = ARCHITECTURE.fullmatch(found.architecture)
    if match is None:
        known = 'it has those of resnet.py in torchvision'
        raise ValueError(f'the architecture {found.architecture} is no network of this package; {known}')
    source = found.pretrained_cfg
    usual = {'in_chans': 3, 'num_classes': found.num_classes, 'global_pool': 'avg'}
    changes = {name: value for name, value in found.model_args.items() if usual.get(name) != value}
    if changes:
        raise ValueError(f'model_args={changes}: this package does not have {found.architecture} so')
    plain, wide, grouped, groups, group_width = match.groups()
    model: dict[str, Any] = {'depth': int(plain or wide or grouped)}
    if wide:
        model['width_factor'] = 2
    if grouped:
        model |= {'groups': int(groups), 'group_width': int(group_width)}
    model['v1_5'] = IMAGENET_STAGES[model['depth']][0] == 'bottleneck'
    classes = IMAGENET_CLASSES.values() if found.num_classes == 1000 else map(str, range(found.num_classes))
    names = found.label_names or source.label_names or tuple(classes)
    return _config(model, names, source)


def _transformers_config(found: Transformers) -> tuple[Config, tuple[str, ...]]:
    """As `_timm_config`. config.json does not describe the input. That of microsoft's networks is timm's default."""
    factor = 4 if found.layer_type == 'bottleneck' else 1
    usual = {'hidden_sizes': tuple(factor * width for width in (64, 128, 256, 512)), 'downsample_in_first_stage': False}
    for field, value in usual.items():
        if getattr(found, field) != value:
            raise ValueError(f'{field}={getattr(found, field)!r}: must be {value!r} for this package')
    stages = found.layer_type, found.depths
    depth = next((depth for depth, known in IMAGENET_STAGES.items() if known == stages), None)
    if depth is None:
        raise ValueError(f'depths={found.depths} of {found.layer_type} units are no ResNet of this package')
    names = tuple(found.id2label[label] for label in sorted(found.id2label))
    if len(names) == 1000 and names[0] == 'tench, Tinca tinca':
        names = tuple(IMAGENET_CLASSES.values())
    return _config({'depth': depth, 'v1_5': factor == 4 and not found.downsample_in_bottleneck}, names, TimmInput())


def _config(model: dict[str, Any], names: tuple[str, ...], source: TimmInput) -> tuple[Config, tuple[str, ...]]:
    channels, size, width = source.test_input_size or source.input_size
    if channels != 3 or size != width:
        raise ValueError(f'input_size={channels, size, width}: must be square, with 3 channels, for this package')
    fraction = source.test_crop_pct or source.crop_pct
    dataset = {'name': 'imagenet2012', 'test': 'validation', 'pad': 0, 'crop': size}
    dataset |= {'normalization': 'channel', 'channel_mean': source.mean, 'channel_std': source.std}
    model |= {'name': 'imagenet_resnet', 'shortcut': 'B', 'num_classes': len(names)}
    # timm rounds the shorter side so
    pictures = {'test_shorter_side': int(size / fraction), 'interpolation': source.interpolation}
    fields = {'dataset': dataset, 'pictures': pictures, 'model': model}
    return as_config(fields | {'batch_size': 32, 'batch_norm': {'group_size': 0}}), names
