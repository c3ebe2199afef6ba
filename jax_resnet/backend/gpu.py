"""What an NVIDIA GPU needs: a program of few kernels, launched as one CUDA graph, and an option for exact results.

XLA recognises the plain gradients of convolutions. At CIFAR's sizes a kernel's launch takes as long as its work, so the
units are written out, the arrays lie flat, BatchNorm has its own gradient, and the host launches no step by itself.
`benchmarks/gpu_program.py` counts kernels and launches.
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
"""All that a step is made of may be in a CUDA graph: then the loop over steps is one, and the host launches nothing."""

DETERMINISTIC = {'xla_gpu_deterministic_ops': True}
"""The same operations in the same order, in each start: nothing is chosen by timing, or added as threads come."""

MOST_UNITS = 200
"""Of a network that is written out; a deeper one would compile for many minutes, and keeps its stacks and loops."""


def backend(deterministic: bool = False, fused_kernels: bool = False) -> Backend:
    """How a GPU runs a network; a deterministic one gives the same bits again."""
    refused = why_no_graph()
    exact = DETERMINISTIC if deterministic else {}
    remark = f'without CUDA graphs, so slower: {refused}' if refused else 'with CUDA graphs'
    return Backend(
        form=fused_form if fused_kernels else form,
        compiler_options=exact | ({} if refused else GRAPH),
        one_call_options=exact,
        remark=remark,
    )


def form(net: models.ResNet) -> FlatForm:
    """How GPUs run a network that a state is of, stacked."""
    norm = net.norm._replace(normalize=normalize) if isinstance(net.norm, models.BatchNorms) else net.norm
    return FlatForm(net.clone(stacked=sum(net.stage_sizes) > MOST_UNITS, norm=norm))


class FusedForm(FlatForm):
    """Another form, never timed: one kernel a layer and direction."""

    features_first = False

    def check(self, batch_size: int, size: int, devices: int) -> None:
        if devices > 1:
            raise ValueError(f'is for one device; got {devices} (config.parallel.devices)')
        self.net.plan(batch_size, size)


def fused_form(net: models.ResNet) -> FusedForm:
    """How a GPU runs a network by fused kernels. Raises ValueError for networks that they are not for."""
    return FusedForm(Fused(net.clone(stacked=False)))


@cache
def why_no_graph() -> str:
    """Why the installed jaxlib, or the driver, does not take GRAPH, in a line; empty where it does."""

    def step(x: jax.Array) -> jax.Array:
        kernel, numbers = jnp.ones((3, 3, 8, 8)), ('NHWC', 'HWIO', 'NHWC')
        return 1 + jax.lax.conv_general_dilated(x, kernel, (1, 1), 'SAME', dimension_numbers=numbers)

    def program(x: jax.Array) -> jax.Array:
        return jax.lax.while_loop(lambda x: x.sum() < 1, step, x)

    try:
        options: Any = dict(GRAPH)
        jax.block_until_ready(jax.jit(program, compiler_options=options)(jnp.zeros((1, 8, 8, 8))))
    except Exception as e:  # jaxlib names no class of its own for an unknown option
        return ' '.join(str(e).split())[:200]
    return ''
