"""How an NVIDIA GPU runs a network: with few GPU kernels, in one CUDA graph, and with an option for exact results.

For the small images of CIFAR, to launch a GPU kernel takes as long as to run it. So the units are written out, the
network's arrays are joined to flat ones, BatchNorm has a hand-written gradient, and the host does not launch the steps
one by one. `benchmarks/gpu_program.py` counts kernels and launches. Convolutions have JAX's own gradients, which XLA
recognizes.
"""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp

from jax_resnet import models
from jax_resnet.backend.base import Backend
from jax_resnet.backend.flat import FlatForm
from jax_resnet.backend.fused.network import Fused
from jax_resnet.backend.gpu_batch_norm import normalize

PARTS = ('FUSION', 'CUBLAS', 'CUBLASLT', 'CUSTOM_CALL', 'CUDNN', 'CONVOLUTION', 'COLLECTIVES', 'WHILE', 'CONDITIONAL')
GRAPH = {'xla_gpu_enable_command_buffer': ','.join(PARTS)}
"""Allows all operations of a step in a CUDA graph. Then the whole loop over steps is one graph, launched once."""

DETERMINISTIC = {'xla_gpu_deterministic_ops': True}
"""Every start runs the same operations in the same order: XLA neither times algorithms nor uses atomic sums."""

MOST_UNITS = 200
"""Maximum number of units of a network that is written out. Deeper networks would compile for many minutes.

They stay stacked, and run in loops.
"""


def backend(deterministic: bool = False, fused_kernels: bool = False) -> Backend:
    """Returns how a GPU runs a network.

    Args:
        deterministic: whether every start must give the same bits.
        fused_kernels: whether to train with the kernels of `fused`.
    """
    no_graph = why_no_graph()
    exact = DETERMINISTIC if deterministic else {}
    return Backend(
        form=fused_form if fused_kernels else form,
        compiler_options=exact if no_graph else exact | GRAPH,
        one_call_options=exact,
        remark=f'without CUDA graphs, so slower: {no_graph}' if no_graph else 'with CUDA graphs',
    )


def form(net: models.ResNet) -> FlatForm:
    """Returns the form in which a GPU runs the stacked network of a training state."""
    norm = net.norm._replace(normalize=normalize) if isinstance(net.norm, models.BatchNorms) else net.norm
    return FlatForm(net.clone(stacked=sum(net.stage_sizes) > MOST_UNITS, norm=norm))


class FusedForm(FlatForm):
    """A form with one kernel for each layer and direction. It was never timed on a GPU."""

    features_first = False

    def check(self, batch_size: int, size: int, devices: int) -> None:
        if devices > 1:
            raise ValueError(f'is for one device; got {devices} (config.parallel.devices)')
        self.net.plan(batch_size, size)


def fused_form(net: models.ResNet) -> FusedForm:
    """Returns the form with fused kernels. Raises ValueError if they do not support the network."""
    return FusedForm(Fused(net.clone(stacked=False)))


@cache
def why_no_graph() -> str:
    """Returns why the installed jaxlib or the driver does not support GRAPH, in one line; '' if both do."""

    def step(x: jax.Array) -> jax.Array:
        kernel, dimensions = jnp.ones((3, 3, 8, 8)), ('NHWC', 'HWIO', 'NHWC')
        return 1 + jax.lax.conv_general_dilated(x, kernel, (1, 1), 'SAME', dimension_numbers=dimensions)

    def program(x: jax.Array) -> jax.Array:
        return jax.lax.while_loop(lambda x: x.sum() < 1, step, x)

    try:
        options: Any = dict(GRAPH)
        jax.block_until_ready(jax.jit(program, compiler_options=options)(jnp.zeros((1, 8, 8, 8))))
    except Exception as e:  # jaxlib has no error class for an unknown option
        return ' '.join(str(e).split())[:200]
    return ''
