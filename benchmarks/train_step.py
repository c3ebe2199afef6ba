"""Times a whole training step against PyTorch's, alternately, in one run: `python benchmarks/train_step.py`.

Both train the same network with the same update on random images: augmentation (only ours), forward, backward, SGD with
momentum and weight decay. The table also shows two shares of the chip's limits: the step's multiply-adds over the rate
of a matrix product, and the bytes that it must move over the rate of a copy. Both rates are measured in the same run.

A network is measured in rounds until the median ratio of the two times is known to 5 %, or for --most_rounds rounds, or
for --seconds. Needs PyTorch, except with --alone. Prints a table, what else ran on the machine, and, last, a line of
JSON; --json writes the same to a file after each round.
"""

import argparse
import contextlib
import json
import statistics
import time
from collections.abc import Iterator
from math import inf, prod
from pathlib import Path
from typing import Any

from networks import NETWORKS, fields, model, multiply_adds
from peers import Load, Run, copy_rate, in_a_process, matrix_rate, medians, ours, rounds_in_turn, spread, versions

ENOUGH = 0.05
"""Below this spread of the ratios, a network needs no more rounds."""


def least_bytes(network: str, batch_size: int, size: int, dtype: str) -> float:
    """Returns the bytes that a step must move if BatchNorm, ReLU and addition are fused into the convolutions.

    Each convolution's output is written and read in the forward pass, and read again in the backward pass. Its
    gradient is written once and read twice, for the gradients of the input and of the kernel.
    """
    import jax
    from jax.extend.core import jaxprs_in_params

    net = model(network)
    images = jax.ShapeDtypeStruct((batch_size, size, size, 3), 'float32')
    variables = jax.eval_shape(net.init, jax.random.key(0), images)

    def outputs(eqn: Any) -> int:
        if eqn.primitive.name == 'conv_general_dilated':
            return prod(eqn.outvars[0].aval.shape)
        iterations = eqn.params['length'] if eqn.primitive.name == 'scan' else 1
        return iterations * sum(outputs(inner) for jaxpr in jaxprs_in_params(eqn.params) for inner in jaxpr.eqns)

    numbers = sum(map(outputs, jax.make_jaxpr(net.apply)(variables, images).jaxpr.eqns))
    return 6.0 * numbers * (2 if dtype == 'bfloat16' else 4)


def measure(
    runs: dict[str, Run], most_rounds: int, pause: float = 0.5, seconds: float = inf
) -> Iterator[tuple[dict[str, float], dict[str, dict[str, Any]]]]:
    """Measures runs in rounds. `seconds` after the end of the first round it begins no further one.

    Yields:
        After each round: the median seconds of each run; and for each run but 'jax_resnet', the median `ratio` of the
        time of 'jax_resnet' to its time, the `spread` of the ratios (None for fewer than six rounds), and the `rounds`.
    """
    end, rounds, peers = inf, [], [name for name in runs if name != 'jax_resnet']
    for one in rounds_in_turn(runs, pause):
        end = min(end, time.monotonic() + seconds)
        rounds.append(one)
        ratios = {name: [one['jax_resnet'] / one[name] for one in rounds] for name in peers}
        spreads = {name: spread(each) for name, each in ratios.items()}
        yield (
            medians(rounds),
            {
                name: {
                    'ratio': statistics.median(ratios[name]),
                    'spread': spreads[name] if len(rounds) >= 6 else None,
                    'rounds': len(rounds),
                }
                for name in peers
            },
        )
        known = bool(peers) and max(spreads.values()) < ENOUGH
        if len(rounds) >= most_rounds or known or time.monotonic() > end:
            break


def describe_spread(ratio: dict[str, Any]) -> str:
    """Formats the spread of one of the ratios of `measure`."""
    return 'unknown' if ratio['spread'] is None else f'{ratio["spread"]:.1%}'


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--networks',
        nargs='+',
        default=['ResNet-20', 'ResNet-56', 'ResNet-110', 'pre-act ResNet-164', 'ImageNet ResNet-18'],
        choices=NETWORKS,
    )
    parser.add_argument('--batch_size', type=int, help='batch size (default: 128; 32 for ImageNet)')
    parser.add_argument(
        '--size', type=int, default=128, help="size of ImageNet's images in pixels; CIFAR's images have 32"
    )
    parser.add_argument('--dtypes', nargs='+', default=['float32'], choices=['float32', 'bfloat16'])
    parser.add_argument('--compiled', action='store_true', help='also time torch.compile with CUDA graphs')
    parser.add_argument(
        '--steps', type=int, help='number of steps in a round (default: 3; on a GPU 1000, or 50 for ImageNet)'
    )
    parser.add_argument('--most_rounds', type=int, default=30)
    parser.add_argument('--seconds', type=float, default=inf, help='begin no round of a network after so many seconds')
    parser.add_argument('--fields', nargs='*', default=[], metavar='FIELD=VALUE', help='fields of our config')
    parser.add_argument('--alone', action='store_true', help='do not time PyTorch')
    parser.add_argument('--json', type=Path, help='file for the results')
    options = parser.parse_args()

    print(', '.join(f'{name} {value}' for name, value in versions().items()), flush=True)
    print(
        '| network | precision | jax_resnet, images/s | PyTorch | ratio of times | spread, rounds |'
        ' of matrix rate | of copy rate |'
    )
    print('|---|---|---:|---:|---:|---:|---:|---:|', flush=True)
    results, bytes_a_second, is_gpu = [], copy_rate(), 'cpu' not in versions()['device']
    with Load() as load:
        for dtype in options.dtypes:
            rate = matrix_rate(dtype)
            for network in options.networks:
                is_large = network.startswith('ImageNet')
                size = options.size if is_large else 32
                batch = options.batch_size or (32 if is_large else 128)
                steps = options.steps or ((50 if is_large else 1000) if is_gpu else 3)
                with contextlib.ExitStack() as stack:

                    def peer(*args: Any, stack: contextlib.ExitStack = stack, **options: Any) -> Run:
                        return stack.enter_context(in_a_process(*args, **options))

                    case = (network, batch, steps, size)
                    runs = {
                        'jax_resnet': peer(ours, *case, **{'precision.compute': dtype}, **fields(options.fields)),
                    }
                    if not options.alone:
                        runs['jax_resnet']()  # XLA chooses algorithms; nothing else uses the device meanwhile
                        from pytorch_peer import torchs

                        runs['torch'] = peer(torchs, *case, dtype)
                        if options.compiled:
                            runs['torch.compile'] = peer(torchs, *case, dtype, compiled=True)
                            try:
                                runs['torch.compile']()
                            except RuntimeError as e:
                                print(f'without torch.compile: {e}', flush=True)
                                del runs['torch.compile']
                    products = multiply_adds(model(network), batch, (size, size, 3)) / rate
                    moved = least_bytes(network, batch, size, dtype) / bytes_a_second
                    for seconds, ratios in measure(
                        runs, options.most_rounds, pause=0.0 if is_gpu else 0.5, seconds=options.seconds
                    ):
                        our_time = seconds['jax_resnet']
                        compute, memory = products / our_time, moved / our_time
                        found = {'network': network, 'dtype': dtype, 'batch_size': batch, 'size': size}
                        found |= {'seconds': seconds, 'ratios': ratios}
                        found |= {'of_matrix_rate': compute, 'of_copy_rate': memory}
                        found['start_seconds'] = {name: run.start_seconds() for name, run in runs.items()}
                        if options.json:  # after each round: a kill leaves what was measured
                            draft = options.json.with_suffix('.draft')
                            draft.write_text(json.dumps({**versions(), 'results': [*results, found]}))
                            draft.replace(options.json)
                    results.append(found)
                cells = (
                    network,
                    dtype,
                    f'{batch / our_time:,.0f}',
                    ', '.join(f'{batch / seconds[name]:,.0f}' for name in ratios),
                    ', '.join(f'{one["ratio"]:.2f}' for one in ratios.values()),
                    ', '.join(f'{describe_spread(one)}, {one["rounds"]}' for one in ratios.values()),
                    f'{compute:.0%}',
                    f'{memory:.0%}',
                )
                print(f'| {" | ".join(cells)} |', flush=True)
    print(load)
    unknown = [
        one['network']
        for one in results
        if any(peer['spread'] is None or peer['spread'] >= ENOUGH for peer in one['ratios'].values())
    ]
    if unknown:
        print(f'the ratio is not known to {ENOUGH:.0%} after {options.most_rounds} rounds: {", ".join(unknown)}')
    print(json.dumps({**versions(), 'load': load.found(), 'results': results}))


if __name__ == '__main__':
    main()
