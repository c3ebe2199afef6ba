"""What XLA's CPU compiler needs to be fast: its options, convolutions with gradients of their own, what to keep."""

from functools import cache
from typing import Any

import jax
import jax.extend.core
import jax.numpy as jnp

from jax_resnet.backend import cpu_convolution
from jax_resnet.backend.base import Backend, Form

YNNPACK, ONE_DNN = 'xla_cpu_experimental_ynn_fusion_type', 'xla_cpu_experimental_onednn_custom_call'
COMPILER_OPTIONS: dict[str, str | bool] = {
    # Of YNNPACK's fusions the reductions (BatchNorm's statistics) are fast, the convolutions slow.
    YNNPACK: 'LIBRARY_FUSION_TYPE_REDUCE',
    # Keeps optimization_barrier until fusion is over, and with it cpu_convolution's transposes by themselves.
    'xla_disable_hlo_passes': 'cse_barrier_expander',
}

ONE_CALL_OPTIONS: dict[str, int] = {'xla_backend_optimization_level': 1}
"""For what runs once, such as initialization: less time in the compiler."""

LONG = 2e13
"""Multiply-adds, some minutes of two cores, from which oneDNN pays: its programs cannot be kept for the next start."""

UNROLL = 6
"""Units of a stage that run faster without a loop, and still compile in seconds."""


def backend(multiply_adds: float = 0.0) -> Backend:
    """How a CPU runs a network: stacked, short stages written out, with gradients for the library that it uses.

    Args:
        multiply_adds: of all that it is to run. oneDNN runs the convolutions of LONG work, where jaxlib has it.
    """
    by_one_dnn = multiply_adds >= LONG and has_one_dnn()
    return Backend(
        network={
            'stacked': True,
            'unroll': UNROLL,
            'conv': cpu_convolution.Conv,
            'rematerialize': keep_convolutions,
        },
        form=(lambda net: Form(net.clone(conv=cpu_convolution.OneDnnConv))) if by_one_dnn else Form,
        compiler_options=compiler_options() | ({ONE_DNN: True} if by_one_dnn else {}),
        one_call_options=ONE_CALL_OPTIONS,
        keeps_programs=not by_one_dnn,
        remark='oneDNN runs its convolutions, and such a program cannot be kept for the next start'
        if by_one_dnn
        else '',
    )


def keep_convolutions(primitive: jax.extend.core.Primitive, *_: Any, **__: Any) -> bool:
    """A policy of `jax.checkpoint`, for units in loops: keep convolutions' outputs and BatchNorm's statistics.

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
    """Whether the installed jaxlib calls oneDNN for convolutions: on x86-64, from 0.11.2."""

    def convolve(x: jax.Array) -> jax.Array:
        return jax.lax.conv(x, jnp.ones((8, 8, 3, 3)), (1, 1), 'SAME')

    try:
        compiled = jax.jit(convolve, compiler_options={ONE_DNN: True}).lower(jnp.ones((1, 8, 8, 8))).compile()
    except Exception:  # jaxlib names no class of its own for an unknown option
        return False
    return 'onednn' in (compiled.as_text() or '')
