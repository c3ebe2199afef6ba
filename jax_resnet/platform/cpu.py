"""What makes XLA fast on a CPU: compiler options, hand-written gradients of convolutions, and rematerialization."""

from dataclasses import replace
from functools import cache, partial
from typing import Any

import jax
import jax.extend.core
import jax.numpy as jnp

from jax_resnet.platform import cpu_convolution
from jax_resnet.platform.base import Backend, works

YNNPACK = 'xla_cpu_experimental_ynn_fusion_type'
ONE_DNN = 'xla_cpu_experimental_onednn_custom_call'
COMPILER_OPTIONS: dict[str, str | bool] = {
    # YNNPACK is fast for reductions (BatchNorm's statistics), and slow for convolutions.
    YNNPACK: 'LIBRARY_FUSION_TYPE_REDUCE',
    # Keeps each optimization_barrier until after fusion, so that XLA does not fuse cpu_convolution's transposes.
    'xla_disable_hlo_passes': 'cse_barrier_expander',
}

ONE_CALL_OPTIONS: dict[str, int] = {'xla_backend_optimization_level': 1}
"""Options for programs that run once, such as initialization. They shorten compilation."""

ONE_DNN_MULTIPLY_ADDS = 2e13
"""Minimum number of multiply-adds of a run that uses oneDNN. They take some minutes on two cores.

Programs with oneDNN are faster, but they cannot be cached, so that each start compiles them again.
"""

UNROLL = 6
"""Maximum number of identical units in a stage that are written out instead of run in a loop.

They run faster without a loop, and still compile in seconds.
"""


def backend(multiply_adds: float = 0.0) -> Backend:
    """Returns how a CPU runs a network: stacked, with short stages written out, and with hand-written gradients.

    Args:
        multiply_adds: number of multiply-adds of the whole run. From ONE_DNN_MULTIPLY_ADDS on, oneDNN runs the
            convolutions, if the installed jaxlib has it.
    """
    network = {'stacked': True, 'unroll': UNROLL, 'conv': cpu_convolution.Conv, 'rematerialize': keep_convolutions}
    options = compiler_options()
    one_dnn = multiply_adds >= ONE_DNN_MULTIPLY_ADDS and has_one_dnn()
    plain = Backend(
        network=network,
        compiler_options=options,
        one_call_options=ONE_CALL_OPTIONS,
        used={'oneDNN': one_dnn} | {name: name in options for name in COMPILER_OPTIONS},
    )
    if not one_dnn:
        return plain
    return replace(
        plain,
        program_network=lambda net: net.clone(conv=cpu_convolution.OneDnnConv),
        compiler_options=options | {ONE_DNN: True},
        keeps_programs=False,
        remark='oneDNN runs the convolutions; the compiled program cannot be cached for the next start',
    )


def keep_convolutions(primitive: jax.extend.core.Primitive, *_: Any, **__: Any) -> bool:
    """A policy for `jax.checkpoint` of units in loops: keeps convolutions' outputs and BatchNorm's statistics.

    The backward pass computes the other values again. This is faster than to write, stack and read them.
    """
    return primitive.name in ('conv_general_dilated', 'reduce_sum', 'rsqrt')


@cache
def compiler_options() -> dict[str, str | bool]:
    """Returns the COMPILER_OPTIONS that work with the installed jaxlib, for `jax.jit(..., compiler_options=...)`."""

    def compiles(name: str) -> bool:
        option = {name: COMPILER_OPTIONS[name]}
        jax.jit(lambda x: x + 1, compiler_options=option).lower(0.0).compile()
        return True

    return {name: value for name, value in COMPILER_OPTIONS.items() if works(name, partial(compiles, name))}


@cache
def has_one_dnn() -> bool:
    """Whether the installed jaxlib calls oneDNN for convolutions. It does from 0.11.2 on, on x86-64."""

    def convolve(x: jax.Array) -> jax.Array:
        return jax.lax.conv(x, jnp.ones((8, 8, 3, 3)), (1, 1), 'SAME')

    def is_called() -> bool:
        compiled = jax.jit(convolve, compiler_options={ONE_DNN: True}).lower(jnp.ones((1, 8, 8, 8))).compile()
        return 'onednn' in (compiled.as_text() or '')

    return works('oneDNN', is_called)
