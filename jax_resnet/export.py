"""Exports a network as one portable function: `python -m jax_resnet.export RUN --out=net.jaxexport`.

The file holds weights and normalization. To use it, only JAX and flatbuffers are needed:

    network = jax.export.deserialize(open('net.jaxexport', 'rb').read())
    logits = network.call(images)   # uint8 [batch, height, width, channels], any batch, on CPU or CUDA
"""

from jax_resnet import signals

if __name__ == '__main__':
    signals.end_at_once()

import argparse
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
from jax import export

import jax_resnet
from jax_resnet import command_line, files
from jax_resnet.config.fields import Config
from jax_resnet.errors import DataError

PLATFORMS = ('cpu', 'cuda')


def main() -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m jax_resnet.export', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('run', help='the run folder of the network, or its file of weights')
    parser.add_argument('--out', required=True, help='the file to write')
    return command_line.with_config(parser, _export)


def serialize(trained: 'jax_resnet.Trained') -> bytes:
    """Serializes the function from uint8 images [batch, *image_shape] to float32 logits [batch, classes]."""
    images = jax.ShapeDtypeStruct((*export.symbolic_shape('batch'), *trained.image_shape), jnp.uint8)
    function = jax.jit(lambda images: trained.model.apply(trained.variables, trained.preprocess(images)))
    return bytes(export.export(function, platforms=PLATFORMS)(images).serialize())


def _export(options: argparse.Namespace, config: Config | None) -> None:
    trained = jax_resnet.load(options.run, config)
    content = serialize(trained)
    try:
        files.write(Path(options.out), content)
    except OSError as e:
        raise DataError(f'--out={options.out}: cannot be written ({e.strerror})') from None
    shape = ', '.join(map(str, trained.image_shape))
    print(f'{options.out}: maps uint8 images [batch, {shape}] to float32 logits [batch, {len(trained.class_names)}]')


if __name__ == '__main__':
    sys.exit(main())
