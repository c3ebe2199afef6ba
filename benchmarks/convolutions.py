"""Times each convolution of a network and its two gradients against PyTorch's: `python benchmarks/convolutions.py`.

Each is timed alone, with each library that XLA has on this CPU (its own, YNNPACK, oneDNN) and each algorithm of the
kernel's gradient; and as training compiles it, alone and in a loop. All are measured alternately, in one run. The times
are medians, in milliseconds. Needs PyTorch. Prints a table and, last, a line of JSON.
"""

import argparse
import collections
import json
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any, NamedTuple

os.environ['JAX_PLATFORMS'] = 'cpu'  # these algorithms and libraries are for CPUs

from networks import NETWORKS, model
from peers import Load, in_a_process, medians, versions

OPERATIONS = ('forward', "input's gradient", "kernel's gradient")
LOOP = 8
"""The number of iterations of the loop."""


class Case(NamedTuple):
    """A convolution: the shapes of its input [N, H, W, C] and kernel [height, width, C / groups, O]."""

    x: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    groups: int = 1

    def __str__(self) -> str:
        (_, height, width, channels), (taps, _, _, features) = self.x, self.kernel
        text = f'{height}x{width}, {channels} to {features}, {taps}x{taps}'
        if self.groups > 1:
            text += f', {self.groups} groups'
        return text if self.strides[0] == 1 else f'{text} /{self.strides[0]}'

    def output(self) -> tuple[int, ...]:
        """Returns the shape of the output, if the padding keeps the size. Strides divide it."""
        rows, columns = (-(-size // stride) for size, stride in zip(self.x[1:3], self.strides, strict=True))
        return self.x[0], rows, columns, self.kernel[3]

    def multiply_adds(self) -> int:
        """Returns the multiply-adds of the convolution, or of either gradient: all three are equal."""
        return prod(self.output()) * prod(self.kernel[:3])


def cases(network: str, batch_size: int, size: int) -> dict[Case, int]:
    """Returns the convolutions of a network, each with its count."""
    import jax
    from jax.extend.core import jaxprs_in_params

    net = model(network).clone(stacked=False)
    images = jax.ShapeDtypeStruct((batch_size, size, size, 3), 'float32')
    variables = jax.eval_shape(net.init, jax.random.key(0), images)
    found: collections.Counter = collections.Counter()

    def collect(eqn: Any) -> None:
        if eqn.primitive.name == 'conv_general_dilated':
            x, kernel = (var.aval.shape for var in eqn.invars)
            options = [eqn.params[name] for name in ('window_strides', 'padding', 'feature_group_count')]
            found[Case(x, kernel, *options)] += 1
        for jaxpr in jaxprs_in_params(eqn.params):
            for inner in jaxpr.eqns:
                collect(inner)

    for eqn in jax.make_jaxpr(net.apply)(variables, images).jaxpr.eqns:
        collect(eqn)
    return found


def ours() -> Callable[..., dict[str, float]]:
    """Returns a function that times a case in this process. It gives median seconds, by column."""
    import jax
    import jax.numpy as jnp

    from jax_resnet.models import cifar_resnet
    from jax_resnet.platform import cpu, cpu_convolution

    training = cpu.backend(cpu.ONE_DNN_MULTIPLY_ADDS)
    without = {name: value for name, value in cpu.compiler_options().items() if name != cpu.YNNPACK}
    libraries = {'XLA': cpu.compiler_options(), 'YNNPACK': without}  # it takes convolutions by default
    if cpu.has_one_dnn():
        libraries['oneDNN'] = {**cpu.compiler_options(), cpu.ONE_DNN: True}
    conv = training.program_network(cifar_resnet(8, **training.network)).conv.conv_general_dilated

    def functions(operation: str, case: Case) -> dict[str, Callable]:
        """Returns the algorithms, by name: functions of (x, kernel, cotangent)."""
        arguments = case.kernel[:2], case.strides, case.padding

        def algorithm(gradient: Any) -> Callable:
            return lambda x, kernel, cotangent: gradient(x, arguments[0], cotangent, *arguments[1:])

        def derivative(which: int) -> Callable:
            def forward(x: Any, kernel: Any) -> Any:
                return conv(x, kernel, case.strides, case.padding, feature_group_count=case.groups)

            def run(x: Any, kernel: Any, cotangent: Any) -> Any:
                out, back = jax.vjp(forward, x, kernel)
                return (out, *back(cotangent))[which]

            return run

        if operation == OPERATIONS[2] and case.groups == 1:
            algorithms = [cpu_convolution.channels_as_batch, cpu_convolution.channels_as_columns]
            found = {gradient.__name__.replace('_', ' '): algorithm(gradient) for gradient in algorithms}
            if arguments[0] == (1, 1):
                found['matrix product'] = algorithm(cpu_convolution.matrix_product)
                found['16 matrix products'] = algorithm(partial(cpu_convolution.matrix_product, most_parts=16))
            return {'training': derivative(2), **found}
        return {'training': derivative(OPERATIONS.index(operation))}

    def in_a_loop(function: Callable) -> Callable:
        def iteration(_: Any, carry: tuple) -> tuple:
            *arrays, total = jax.lax.optimization_barrier(carry)  # so that no iteration is computed in advance
            return *arrays, total + function(*arrays).ravel()[0]

        return lambda *arrays: jax.lax.fori_loop(0, LOOP, iteration, (*arrays, jnp.float32(0)))[-1]

    @partial(jax.jit, static_argnums=0)
    def arrays(case: Case) -> tuple:
        shapes = case.x, case.kernel, case.output()
        return tuple(jax.random.normal(jax.random.key(i), shape) for i, shape in enumerate(shapes))

    compiled: dict[tuple, dict[str, tuple[Callable, int]]] = {}

    def run(operation: str, case: Case, repeats: int) -> dict[str, float]:
        given = arrays(case)
        if (operation, case) not in compiled:
            programs: dict[str, tuple[Callable, int]] = {}
            for name, function in functions(operation, case).items():
                if name == 'training':
                    options = dict(training.compiler_options)
                    programs['training'] = jax.jit(function, compiler_options=options), 1
                    programs['training, in a loop'] = jax.jit(in_a_loop(function), compiler_options=options), LOOP
                if operation != OPERATIONS[2] or name != 'training':
                    for library, options in libraries.items():
                        label = library if name == 'training' else f'{name}, {library}'
                        programs[label] = jax.jit(function, compiler_options=options), 1
            compiled[operation, case] = programs
        seconds = collections.defaultdict(list)
        for function, _ in compiled[operation, case].values():
            jax.block_until_ready(function(*given))
        for _ in range(repeats):
            for name, (function, iterations) in compiled[operation, case].items():
                began = time.perf_counter()
                jax.block_until_ready(function(*given))
                seconds[name].append((time.perf_counter() - began) / iterations)
        return {name: statistics.median(times) for name, times in seconds.items()}

    return run


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--networks', nargs='+', default=['ResNet-20', 'pre-act ResNet-164'], choices=NETWORKS)
    parser.add_argument('--batch_size', type=int, default=128)
    parser.add_argument('--size', type=int, default=32, help='size of the images in pixels')
    parser.add_argument(
        '--rounds', type=int, default=3, help='number of rounds; in each, JAX and PyTorch are timed one after the other'
    )
    parser.add_argument('--repeats', type=int, default=5, help='number of repeats in a round')
    options = parser.parse_args()
    from pytorch_peer import convolutions

    print(', '.join(f'{name} {value}' for name, value in versions().items()), flush=True)
    results = []
    with Load() as load, in_a_process(ours) as jax_run, in_a_process(convolutions) as torch_run:
        for network in options.networks:
            found = cases(network, options.batch_size, options.size)
            print(f'\n{network}, batch {options.batch_size}, {options.size} pixels; milliseconds\n')
            print(
                '| convolution | times | | PyTorch | training | training, in a loop | libraries and algorithms, alone |'
            )
            print('|---|---:|---|---:|---:|---:|---|', flush=True)
            for case, count in found.items():
                for operation in OPERATIONS:
                    if operation == OPERATIONS[1] and case.kernel[2] == 3:
                        continue  # training does not need the gradient of the images
                    rounds = []
                    for _ in range(options.rounds):
                        rounds.append(jax_run(operation, case, options.repeats))
                        rounds[-1]['PyTorch'] = torch_run(operation, case, options.repeats)
                        time.sleep(0.3)  # OpenMP's threads still use the cores for a while after their work
                    times = {name: 1e3 * seconds for name, seconds in medians(rounds).items()}
                    results.append(
                        {'network': network, 'case': str(case), 'count': count, 'operation': operation, 'ms': times}
                    )
                    first = ('PyTorch', 'training', 'training, in a loop')
                    cells = [str(case), count, operation, *(f'{times[name]:.1f}' for name in first)]
                    cells.append('; '.join(f'{name} {ms:.1f}' for name, ms in times.items() if name not in first))
                    print(f'| {" | ".join(map(str, cells))} |', flush=True)
            for name in ('PyTorch', 'training', 'training, in a loop'):
                total = sum(one['count'] * one['ms'][name] for one in results if one['network'] == network)
                print(f'{name}: {total:.0f} ms in all', flush=True)
    print(load)
    print(json.dumps({**versions(), 'load': load.found(), 'results': results}))


if __name__ == '__main__':
    main()
