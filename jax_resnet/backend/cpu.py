"""What XLA's CPU compiler needs to be fast: its options, convolutions with gradients of their own, what to keep."""

from functools import cache
from typing import Any

import jax
import jax.extend.core
import jax.numpy as jnp

from jax_resnet.backend import cpu_convolution
from jax_resnet.backend.base import Backend

YNNPACK, ONE_DNN = 'xla_cpu_experimental_ynn_fusion_type', 'xla_cpu_experimental_onednn_custom_call'
COMPILER_OPTIONS: dict[str, str | bool] = {
    # Of YNNPACK's fusions the reductions (BatchNorm's statistics) are fast, the convolutions slow.
    YNNPACK: 'LIBRARY_FUSION_TYPE_REDUCE',
    # Convolutions and matrix products: on x86-64, from jaxlib 0.11.2.
    ONE_DNN: True,
    # Keeps optimization_barrier until fusion is over, and with it the transposes below by themselves.
    'xla_disable_hlo_passes': 'cse_barrier_expander',
}

ONE_CALL_OPTIONS: dict[str, int] = {'xla_backend_optimization_level': 1}
"""For what runs once, such as initialization: less time in the compiler."""

UNROLL = 6
"""Units of a stage that run faster without a loop, and still compile in seconds."""


def backend() -> Backend:
    """How a CPU runs a network: stacked, short stages written out, with the gradients of this file."""
    return Backend(
        network={
            'stacked': True,
            'unroll': UNROLL,
            'conv': cpu_convolution.OneDnnConv if has_one_dnn() else cpu_convolution.Conv,
            'rematerialize': keep_convolutions,
        },
        compiler_options=compiler_options(),
        one_call_options=ONE_CALL_OPTIONS,
    )


def keep_convolutions(primitive: jax.extend.core.Primitive, *_: Any, **__: Any) -> bool:
    """A policy of `jax.checkpoint`: for the backward pass, keep the convolutions' outputs and BatchNorm's statistics.

    What lies between is computed again where it is used, which costs less than to write, stack and read it.
    """
    return primitive.name in ('conv_general_dilated', 'reduce_sum', 'rsqrt')


@cache
def compiler_options() -> dict[str, str | bool]:
    """Those of COMPILER_OPTIONS that the installed jaxlib knows, for `jax.jit(..., compiler_options=...)`."""
    known = {}
    for name, value in COMPILER_OPTIONS.items():
        try:
            jax.jit(lambda x: x + 1, compiler_options={name: value}).lower(0.0).compile()
        except Exception:  # jaxlib names no class of its own for an unknown option
            continue
        known[name] = value
    return known


@cache
def has_one_dnn() -> bool:
    """Whether the installed jaxlib calls oneDNN for convolutions."""
    convolve = jax.jit(
        lambda x: jax.lax.conv(x, jnp.ones((8, 8, 3, 3)), (1, 1), 'SAME'), compiler_options=compiler_options()
    )
    return 'onednn' in convolve.lower(jnp.ones((1, 8, 8, 8))).compile().as_text()
