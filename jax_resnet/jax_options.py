"""Sets JAX's options and contexts to JAX's defaults, so that no function of the package depends on them.

The environment (for example `JAX_ENABLE_X64=1`), or a program that imports this package, may have set other values.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

import jax

P = ParamSpec('P')
R = TypeVar('R')

FOR_FUNCTIONS: dict[str, Any] = {
    'threefry_partitionable': True,
    'enable_x64': False,
    'numpy_dtype_promotion': 'standard',
    'numpy_rank_promotion': 'allow',
    'disable_jit': False,
    'transfer_guard': 'allow',
}
"""The options, by their names without 'jax_', that change what a function of arrays does, or break it."""

OPTIONS: dict[str, Any] = FOR_FUNCTIONS | {
    'default_prng_impl': 'threefry2x32',
    'default_matmul_precision': None,
    'default_device': None,
    'debug_nans': False,
    'debug_infs': False,
    'debug_key_reuse': False,
    'check_tracer_leaks': False,
}
"""The options in which networks are trained, loaded and evaluated. A config can change `default_matmul_precision`."""


@contextlib.contextmanager
def default(values: dict[str, Any]) -> Iterator[None]:
    """A context with these values of options in this thread."""
    with contextlib.ExitStack() as stack:
        for name, value in values.items():
            stack.enter_context(getattr(jax, name)(value))
        yield


def independent(function: Callable[P, R]) -> Callable[P, R]:
    """Decorates a function of arrays, which then uses FOR_FUNCTIONS. float64 stays for arguments of float64."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        wide = any(getattr(x, 'dtype', None) == 'float64' for x in jax.tree.leaves((args, kwargs)))
        with default({name: value for name, value in FOR_FUNCTIONS.items() if not (wide and name == 'enable_x64')}):
            return function(*args, **kwargs)

    return call
