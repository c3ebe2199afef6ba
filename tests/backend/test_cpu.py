"""The convolution for CPUs against JAX's own, value and gradients."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jax_resnet.backend import cpu, cpu_convolution

CONVOLUTIONS = {
    kernel_gradient.__name__: partial(cpu_convolution.conv_general_dilated, kernel_gradient=kernel_gradient)
    for kernel_gradient in (cpu_convolution.for_xla, cpu_convolution.for_one_dnn)
}


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize(('window', 'padding'), [(3, (1, 1)), (1, (0, 0)), (3, (0, 1)), (4, (2, 1)), (3, (0, 0))])
@pytest.mark.parametrize('shape', [(2, 8, 8, 3), (9, 9, 7, 3)])
def test_value_and_gradients(stride: int, window: int, padding: tuple, shape: tuple) -> None:
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=shape), rng.normal(size=(window, window, 3, 5))
    with jax.enable_x64(True):
        plain = partial(lax.conv_general_dilated, dimension_numbers=('NHWC', 'HWIO', 'NHWC'))
        out = [
            jax.vjp(lambda x, k, conv=conv: conv(x, k, (stride, stride), (padding, padding)), x, kernel)
            for conv in (plain, *CONVOLUTIONS.values())
        ]
        cotangent = rng.normal(size=out[0][0].shape)
        results = [(value, *vjp(cotangent)) for value, vjp in out]
    for expected, *ours in zip(*results, strict=True):
        for one in ours:
            np.testing.assert_allclose(one, expected, rtol=1e-10, atol=1e-10)


def test_what_it_does_not_do_is_refused() -> None:
    x, kernel = jnp.zeros((1, 4, 4, 4)), jnp.zeros((3, 3, 2, 4))
    conv = CONVOLUTIONS['for_xla']
    for options in ({'feature_group_count': 2}, {'rhs_dilation': (2, 2)}, {'lhs_dilation': (2, 2)}):
        with pytest.raises(NotImplementedError, match='neither feature groups nor dilation'):
            conv(x, kernel, (1, 1), ((1, 1), (1, 1)), **options)


def test_an_option_that_the_compiler_does_not_know_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cpu.COMPILER_OPTIONS, 'xla_no_such_option', 'x')
    cpu.compiler_options.cache_clear()
    try:
        assert 'xla_no_such_option' not in cpu.compiler_options()
    finally:
        cpu.compiler_options.cache_clear()


@pytest.mark.parametrize('name', CONVOLUTIONS)
def test_it_trains_inside_a_scan(name: str) -> None:
    """The form that training compiles: under a scan, all convolutions have the dimension numbers that are fast there."""
    kernels = jnp.ones((2, 3, 3, 4, 4))

    def loss(kernels: jax.Array, x: jax.Array) -> jax.Array:
        conv = partial(CONVOLUTIONS[name], window_strides=(1, 1), padding=((1, 1), (1, 1)))
        return lax.scan(lambda x, kernel: (conv(x, kernel), None), x, kernels)[0].sum()

    text = str(jax.make_jaxpr(jax.grad(loss))(kernels, jnp.ones((2, 8, 8, 4))))
    numbers = [part.split(')')[0] for part in text.split('dimension_numbers=ConvDimensionNumbers(')[1:]]
    assert len(numbers) == 3  # forward, input gradient, kernel gradient
    assert all(one.startswith(('lhs_spec=(0, 3, 1, 2', 'lhs_spec=(0, 4, 1, 2, 3')) for one in numbers)
