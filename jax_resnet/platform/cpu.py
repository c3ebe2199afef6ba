"""What makes XLA fast on a CPU: compiler options, hand-written gradients of convolutions, and rematerialization."""

from functools import cache
from typing import Any

import jax
import jax.extend.core
import jax.numpy as jnp

from jax_resnet.platform import cpu_convolution
from jax_resnet.platform.base import Backend, Form

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
    network = {
        'stacked': True,
        'unroll': UNROLL,
        'conv': cpu_convolution.Conv,
        'rematerialize': keep_convolutions,
    }
    if multiply_adds < ONE_DNN_MULTIPLY_ADDS or not has_one_dnn():
        return Backend(network=network, compiler_options=compiler_options(), one_call_options=ONE_CALL_OPTIONS)
    return Backend(
        network=network,
        form=lambda net: Form(net.clone(conv=cpu_convolution.OneDnnConv)),
        compiler_options=compiler_options() | {ONE_DNN: True},
        one_call_options=ONE_CALL_OPTIONS,
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
    """Returns the COMPILER_OPTIONS that the installed jaxlib knows, for `jax.jit(..., compiler_options=...)`."""
    known = {}
    for name, value in COMPILER_OPTIONS.items():
        try:
            jax.jit(lambda x: x + 1, compiler_options={name: value}).lower(0.0).compile()
        except Exception:  # jaxlib has no error class for an unknown option
            continue
        known[name] = value
    return known


@cache
def has_one_dnn() -> bool:
    """Whether the installed jaxlib calls oneDNN for convolutions. It does from 0.11.2 on, on x86-64."""

    def convolve(x: jax.Array) -> jax.Array:
        return jax.lax.conv(x, jnp.ones((8, 8, 3, 3)), (1, 1), 'SAME')

    try:
        compiled = jax.jit(convolve, compiler_options={ONE_DNN: True}).lower(jnp.ones((1, 8, 8, 8))).compile()
    except Exception:  # jaxlib has no error class for an unknown option
        return False
    return 'onednn' in (compiled.as_text() or '')
