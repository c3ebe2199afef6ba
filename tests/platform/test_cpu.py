"""The convolution for CPUs: its value and gradients are those of JAX's convolution."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jax_resnet import models
from jax_resnet.platform import compilation_cache, cpu, cpu_convolution

CONVOLUTIONS = {
    kernel_gradient.__name__: partial(cpu_convolution.conv_general_dilated, kernel_gradient=kernel_gradient)
    for kernel_gradient in (cpu_convolution.for_xla, cpu_convolution.for_one_dnn, cpu_convolution.channels_as_columns)
}


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize(
    ('window', 'padding', 'groups'),
    [(3, (1, 1), 1), (1, (0, 0), 1), (3, (0, 1), 1), (4, (2, 1), 1), (3, (0, 0), 1), (3, (1, 1), 3)],
)
@pytest.mark.parametrize('shape', [(2, 8, 8, 3), (9, 9, 7, 3)])
def test_value_and_gradients(stride: int, window: int, padding: tuple, groups: int, shape: tuple) -> None:
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=shape), rng.normal(size=(window, window, 3, 5))
    if groups > 1:
        x, kernel = np.concatenate([x, -2 * x[:, ::-1]], 3), rng.normal(size=(window, window, 2, 9))
    with jax.enable_x64(True):
        options = {'dimension_numbers': ('NHWC', 'HWIO', 'NHWC'), 'feature_group_count': groups}
        plain = lax.conv_general_dilated
        out = [
            jax.vjp(lambda x, k, conv=conv: conv(x, k, (stride, stride), (padding, padding), **options), x, kernel)
            for conv in (plain, *CONVOLUTIONS.values())
        ]
        cotangent = rng.normal(size=out[0][0].shape)
        results = [(value, *vjp(cotangent)) for value, vjp in out]
    for expected, *ours in zip(*results, strict=True):
        for one in ours:
            np.testing.assert_allclose(one, expected, rtol=1e-10, atol=1e-10)


def test_only_float32_uses_the_kernel_gradient_for_one_dnn() -> None:
    """It agrees with XLA's within float32's rounding. Other dtypes use XLA's."""
    rng = np.random.default_rng(0)
    x, cotangent = (rng.normal(size=(6, 8, 8, n)).astype('float32') for n in (3, 5))
    arguments = (3, 3), cotangent, (1, 1), ((1, 1), (1, 1))
    ours, exact = cpu_convolution.for_one_dnn(x, *arguments), cpu_convolution.for_xla(x, *arguments)
    np.testing.assert_allclose(ours, exact, rtol=1e-5, atol=1e-4)
    half = [jnp.asarray(array, 'bfloat16') for array in (x, cotangent)]
    programs = [
        str(jax.make_jaxpr(lambda x, g, gradient=gradient: gradient(x, (3, 3), g, (1, 1), ((1, 1), (1, 1))))(*half))
        for gradient in (cpu_convolution.for_one_dnn, cpu_convolution.for_xla)
    ]
    assert programs[0] == programs[1]


def test_an_unknown_compiler_option_is_omitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cpu.COMPILER_OPTIONS, 'xla_no_such_option', 'x')
    cpu.compiler_options.cache_clear()
    try:
        assert 'xla_no_such_option' not in cpu.compiler_options()
    finally:
        cpu.compiler_options.cache_clear()


@pytest.mark.parametrize('name', CONVOLUTIONS)
def test_it_trains_inside_a_scan(name: str) -> None:
    """All three convolutions of training have the dimension numbers that are fast inside a loop."""
    kernels = jnp.ones((2, 3, 3, 4, 4))

    def loss(kernels: jax.Array, x: jax.Array) -> jax.Array:
        conv = partial(CONVOLUTIONS[name], window_strides=(1, 1), padding=((1, 1), (1, 1)))
        return lax.scan(lambda x, kernel: (conv(x, kernel), None), x, kernels)[0].sum()

    text = str(jax.make_jaxpr(jax.grad(loss))(kernels, jnp.ones((2, 8, 8, 4))))
    numbers = [part.split(')')[0] for part in text.split('dimension_numbers=ConvDimensionNumbers(')[1:]]
    assert len(numbers) == 3  # forward, input gradient, kernel gradient
    assert all(one.startswith(('lhs_spec=(0, 3, 1, 2', 'lhs_spec=(0, 4, 1, 2, 3')) for one in numbers)


def test_one_dnn_runs_long_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, 'has_one_dnn', lambda: True)
    short, long = cpu.backend(cpu.ONE_DNN_MULTIPLY_ADDS / 2), cpu.backend(cpu.ONE_DNN_MULTIPLY_ADDS)
    net = models.cifar_resnet(8, **short.network)
    assert short.program_network(net) is net and long.program_network(net).conv is cpu_convolution.OneDnnConv
    assert not short.used['oneDNN'] and long.used['oneDNN']
    assert cpu.ONE_DNN not in short.compiler_options and long.compiler_options[cpu.ONE_DNN]
    assert short.keeps_programs and not long.keeps_programs and 'oneDNN' in long.remark
    monkeypatch.setattr(cpu, 'has_one_dnn', lambda: False)
    assert cpu.backend(cpu.ONE_DNN_MULTIPLY_ADDS) == cpu.backend()


def test_programs_are_not_cached_while_the_cache_is_off() -> None:
    least = jax.config.jax_persistent_cache_min_compile_time_secs
    with compilation_cache.off():
        assert jax.config.jax_persistent_cache_min_compile_time_secs == float('inf')
    assert jax.config.jax_persistent_cache_min_compile_time_secs == least
