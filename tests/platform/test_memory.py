"""Errors of too little memory, raised by Python and by XLA."""

import jax
import jax.numpy as jnp
import pytest

from jax_resnet.errors import OutOfMemory
from jax_resnet.platform import memory

LINE = r'^out of memory \(.+\): give less$'


@pytest.mark.parametrize('error', [MemoryError(), RuntimeError('std::bad_alloc'), MemoryError('4 TiB\nare too much')])
def test_the_error_says_how_to_use_less_memory(error: Exception) -> None:
    with pytest.raises(OutOfMemory, match=LINE), memory.shortage_as_error('give less'):
        raise error


def test_an_error_of_xla() -> None:
    with pytest.raises(OutOfMemory, match=LINE), memory.shortage_as_error('give less'):
        jax.block_until_ready(jnp.zeros(10**15, jnp.int8))


def test_other_errors_are_not_changed() -> None:
    with pytest.raises(RuntimeError, match='another'), memory.shortage_as_error('give less'):
        raise RuntimeError('another')
