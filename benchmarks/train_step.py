"""Times a whole training step against PyTorch's, in turn, in one run: `python benchmarks/train_step.py`. Needs PyTorch.

The same network and update on random images: augmentation (ours alone), forward, backward, SGD with momentum and weight
decay. Beside it, the share of the chip's limits: the step's multiply-adds over the rate of a matrix product, and the
bytes that must move over the rate of a copy, both measured on the spot. Prints a table and, last, a line of JSON.
"""

import argparse
import contextlib
import json
from math import prod
from typing import Any

from peers import (
    NETWORKS,
    Run,
    copy_rate,
    experiment,
    in_a_process,
    in_turn,
    matrix_rate,
    multiply_adds,
    ours,
    versions,
)

from jax_resnet.backend import huge_pages


def least_bytes(network: str, batch_size: int, dtype: str) -> float:
    """What a step must move, if BatchNorm, ReLU and addition were fused into the convolutions.

    Each convolution's output is written and read in the forward pass, read again in the backward pass, and its
    gradient written and read twice (for the input's gradient and the kernel's).
    """
    import jax
    from jax.extend.core import jaxprs_in_params

    net = experiment(network, 128).model
    images = jax.ShapeDtypeStruct((batch_size, 32, 32, 3), 'float32')
    variables = jax.eval_shape(net.init, jax.random.key(0), images)

    def outputs(eqn: Any) -> int:
        if eqn.primitive.name == 'conv_general_dilated':
            return prod(eqn.outvars[0].aval.shape)
        turns = eqn.params['length'] if eqn.primitive.name == 'scan' else 1
        return turns * sum(outputs(inner) for jaxpr in jaxprs_in_params(eqn.params) for inner in jaxpr.eqns)

    numbers = sum(map(outputs, jax.make_jaxpr(net.apply)(variables, images).jaxpr.eqns))
    return 6.0 * numbers * (2 if dtype == 'bfloat16' else 4)


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--networks',
        nargs='+',
        default=['ResNet-20', 'ResNet-56', 'ResNet-110', 'pre-act ResNet-164'],
        choices=NETWORKS,
    )
    parser.add_argument('--batch_size', type=int, default=128)
    parser.add_argument('--dtypes', nargs='+', default=['float32'], choices=['float32', 'bfloat16'])
    parser.add_argument('--compiled', action='store_true', help='time torch.compile with CUDA graphs too')
    parser.add_argument('--steps', type=int, default=3, help='in a round')
    parser.add_argument('--rounds', type=int, default=7)
    options = parser.parse_args()
    from pytorch_peer import torchs

    print(', '.join(f'{name} {value}' for name, value in versions().items()), flush=True)
    print('| network | precision | jax_resnet, images/s | PyTorch | ratio of times | of matrix rate | of copy rate |')
    print('|---|---|---:|---:|---:|---:|---:|', flush=True)
    results, bytes_a_second = [], copy_rate()
    for dtype in options.dtypes:
        rate = matrix_rate(dtype)
        for network in options.networks:
            batch, steps = options.batch_size, options.steps
            with contextlib.ExitStack() as stack:
                case = (network, batch, steps)

                def peer(*args: Any, stack: contextlib.ExitStack = stack, **options: Any) -> Run:
                    return stack.enter_context(in_a_process(*args, **options))

                runs = {
                    'jax_resnet': peer(ours, *case, **{'precision.compute': dtype}),
                    'torch': peer(torchs, *case, dtype),
                }
                if options.compiled:
                    runs['torch.compile'] = peer(torchs, *case, dtype, compiled=True)
                seconds = in_turn(runs, options.rounds)
            our_time = seconds['jax_resnet']
            peers = [name for name in runs if name != 'jax_resnet']
            compute = multiply_adds(experiment(network, batch)) / rate / our_time
            memory = least_bytes(network, batch, dtype) / bytes_a_second / our_time
            results.append(
                {'network': network, 'dtype': dtype, 'batch_size': batch, 'seconds': seconds}
                | {'ratios': {name: our_time / seconds[name] for name in peers}}
                | {'of_matrix_rate': compute, 'of_copy_rate': memory}
            )
            speeds = ', '.join(f'{batch / seconds[name]:,.0f}' for name in peers)
            ratios = ', '.join(f'{our_time / seconds[name]:.2f}' for name in peers)
            cells = (network, dtype, f'{batch / our_time:,.0f}', speeds, ratios, f'{compute:.0%}', f'{memory:.0%}')
            print(f'| {" | ".join(cells)} |', flush=True)
    print(json.dumps({**versions(), 'results': results}))


if __name__ == '__main__':
    huge_pages.restart()
    main()
