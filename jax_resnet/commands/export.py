"""Exports a network as one portable function.

The file holds weights and normalization. To use it, only JAX and flatbuffers are needed:

    network = jax.export.deserialize(open('net.jaxexport', 'rb').read())
    logits = network.call(images)   # uint8 [batch, height, width, channels], any batch, on CPU or CUDA

Beside it, net.json has the names of the classes, and how a picture becomes such an image.

The file expires: JAX promises to read it for six months. To archive a network, keep the run folder, or the safetensors
with a card that `convert` writes.
"""

import argparse
import json
from typing import TYPE_CHECKING, Any

from jax_resnet import files
from jax_resnet.commands import command_line
from jax_resnet.errors import ConfigError

if TYPE_CHECKING:
    from jax_resnet.training.load import Trained


def add_arguments(parser: argparse.ArgumentParser) -> None:
    command_line.add_network(parser)
    parser.add_argument('--out', required=True, metavar='FILE', help='the file to write, such as net.jaxexport')


def run(options: argparse.Namespace) -> None:
    """Writes the function, and its description."""
    config, path = options.config, files.local(options.out)
    if path.suffix == '.json':
        raise ConfigError(f'--out={options.out}: must not end in .json, where the description is written')
    if not path.name or path.is_dir():
        raise ConfigError(f'--out={options.out}: must be the path of a file')
    path.parent.mkdir(parents=True, exist_ok=True)

    import jax_resnet

    trained = jax_resnet.load(options.network, config)
    description = path.with_suffix('.json')
    contents = {path: serialize(trained), description: (json.dumps(describe(trained), indent=1) + '\n').encode()}
    files.write(contents)
    shape = ', '.join(map(str, trained.image_shape))
    print(f'{path}: maps uint8 images [batch, {shape}] to float32 logits [batch, {len(trained.class_names)}]')
    print(f'{description}: class names, and how a picture becomes an image')


def serialize(trained: 'Trained') -> bytes:
    """Serializes the function from uint8 images [batch, *image_shape] to float32 logits [batch, classes]."""
    import jax
    import jax.numpy as jnp
    from jax import export

    images = jax.ShapeDtypeStruct((*export.symbolic_shape('batch'), *trained.image_shape), jnp.uint8)
    function = jax.jit(lambda images: trained.model.apply(trained.variables, trained.preprocess(images)))
    with trained.exact():
        return bytes(export.export(function, platforms=('cpu', 'cuda'))(images).serialize())


def describe(trained: 'Trained') -> dict[str, Any]:
    """Describes what the exported function takes and returns.

    A picture is resized until its shorter side is `shorter_side`, by `interpolation`, and cropped at its centre to
    `image_shape`. Its pixels stay from 0 to 255.
    """
    height, width, channels = trained.image_shape
    pictures = trained.pictures
    return {
        'class_names': [*trained.class_names],
        'image_shape': [height, width, channels],
        'shorter_side': min(height, width) if pictures is None else pictures.test_shorter_side,
        'interpolation': 'bicubic' if pictures is None else pictures.interpolation,
        'channels': 'grey' if channels == 1 else 'RGB',
        'exif_rotation': pictures is None or pictures.exif_rotation,
    }
