"""How an NVIDIA GPU runs a network: with few GPU kernels, in one CUDA graph, and with an option for exact results.

For the small images of CIFAR, to launch a GPU kernel takes as long as to run it. So the units are written out, the
network's arrays are joined to flat ones, BatchNorm has a hand-written gradient, and the host does not launch the steps
one by one. `benchmarks/gpu_program.py` counts kernels and launches. Convolutions have JAX's own gradients, which XLA
recognizes.
"""

import math
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp

from jax_resnet import models
from jax_resnet.platform.base import Backend, works
from jax_resnet.platform.gpu_batch_norm import normalize

COMMAND_BUFFER = 'xla_gpu_enable_command_buffer'
PARTS = 'FUSION,CUBLAS,CUBLASLT,CUSTOM_CALL,CUDNN,CONVOLUTION,WHILE,CONDITIONAL'
GRAPH = {COMMAND_BUFFER: PARTS}
"""Allows the operations of a step in a CUDA graph. On one GPU the whole loop over steps is one graph, launched once.

All-reduces are not in a graph: NCCL records events, which CUDA does not allow in the body of a loop. So on several GPUs
the host launches the all-reduces, and a graph for the operations between two of them.
"""

NO_GRAPH = {COMMAND_BUFFER: ''}
"""Turns CUDA graphs off. XLA's default allows graphs of some operations."""

DETERMINISTIC = {'xla_gpu_deterministic_ops': True}
"""Every start runs the same operations in the same order: XLA neither times algorithms nor uses atomic sums."""

PROBE_STEPS = 50
"""Number of steps of the loop that tests whether graphs work."""

MOST_UNITS = 200
"""Maximum number of units of a network that is written out. Deeper networks would compile for many minutes.

They stay stacked, and run in loops.
"""


def backend(
    deterministic: bool = False, graphs: bool = True, flat_arrays: bool = True, batch_norm_sums: bool = True
) -> Backend:
    """Returns how a GPU runs a network.

    Args:
        deterministic: whether every start must give the same bits.
        graphs: whether to use CUDA graphs, if they work here.
        flat_arrays: whether training programs join the network's arrays to flat ones.
        batch_norm_sums: whether BatchNorm is that of `gpu_batch_norm`, with two sums in one pass.
    """

    def program_network(net: models.ResNet) -> models.ResNet:
        if batch_norm_sums and isinstance(net.norm, models.BatchNorms):
            net = net.clone(norm=net.norm._replace(normalize=normalize))
        return net.clone(stacked=sum(net.stage_sizes) > MOST_UNITS)

    exact = DETERMINISTIC if deterministic else {}
    graphs = graphs and has_graphs()
    return Backend(
        program_network=program_network,
        flat_arrays=flat_arrays,
        compiler_options=exact | (GRAPH if graphs else NO_GRAPH),
        one_call_options=exact | ({} if graphs else NO_GRAPH),
        used={'gpu.graphs': graphs, 'gpu.flat_arrays': flat_arrays, 'gpu.batch_norm_sums': batch_norm_sums},
        remark='with CUDA graphs' if graphs else 'without CUDA graphs, so slower',
    )


@cache
def has_graphs() -> bool:
    """Whether the installed jaxlib and the driver support GRAPH.

    Runs a small training loop with GRAPH, several times, because XLA makes a graph only from the second call on.
    """

    def is_right() -> bool:
        for dtype in (jnp.float32, jnp.bfloat16):
            with_graph, plain = (jax.jit(_descend, compiler_options=dict(options)) for options in (GRAPH, NO_GRAPH))
            expected, _ = plain(_kernels(dtype), PROBE_STEPS)
            for _ in range(3):
                found, steps = with_graph(_kernels(dtype), PROBE_STEPS)
                if steps != PROBE_STEPS or not all(map(_is_close, _kernels(dtype), expected, found)):
                    raise RuntimeError('a program gives other results with them')
        return True

    return works('CUDA graphs', is_right)


def _is_close(initial: jax.Array, expected: jax.Array, found: jax.Array) -> bool:
    """Whether `found` differs from `expected` by less than a fifth of what training has changed."""
    initial, expected, found = (x.astype(jnp.float32) for x in (initial, expected, found))
    return bool(jnp.abs(found - expected).max() < jnp.abs(expected - initial).max() / 5)


def _kernels(dtype: Any) -> list[jax.Array]:
    shapes = (3, 3, 8, 8), (1, 1, 8, 8), (3, 3, 8, 8)
    return [jnp.linspace(-0.1, 0.1, math.prod(shape), dtype=dtype).reshape(shape) for shape in shapes]


def _descend(kernels: list[jax.Array], stop: jax.Array) -> tuple[list[jax.Array], jax.Array]:
    """Makes `stop` steps of gradient descent on three convolutions, in a loop. Returns kernels and number of steps."""

    def loss(kernels: list[jax.Array]) -> jax.Array:
        x = jnp.linspace(0, 1, 8 * 8 * 8, dtype=kernels[0].dtype).reshape(1, 8, 8, 8)
        for kernel, stride in zip(kernels, (1, 1, 2), strict=True):
            dimensions = ('NHWC', 'HWIO', 'NHWC')
            x = jax.nn.relu(
                jax.lax.conv_general_dilated(x, kernel, (stride, stride), 'SAME', dimension_numbers=dimensions)
            )
        return jnp.mean(jnp.square(x - 1), dtype=jnp.float32)

    def step(carry: tuple[jax.Array, list[jax.Array]]) -> tuple[jax.Array, list[jax.Array]]:
        number, kernels = carry
        gradients = jax.grad(loss)(kernels)
        return number + 1, [kernel - 0.1 * gradient for kernel, gradient in zip(kernels, gradients, strict=True)]

    steps, kernels = jax.lax.while_loop(lambda carry: carry[0] < stop, step, (jnp.int32(0), kernels))
    return kernels, steps
