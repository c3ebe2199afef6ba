"""Times the input inside the step: gathering the batch, and augmenting it. `python benchmarks/input.py`.

The data set is on the device. A step gathers its batch, then crops, flips and normalizes it. Prints the time of the
gathering and of both together, and their share of the whole step of ResNet-20. All are measured alternately.
"""

import argparse
import json
import time

from networks import synthetic
from peers import Run, in_turn, ours, versions


def gathering(batch_size: int, steps: int, augmented: bool) -> Run:
    """Times only the batches. The sum prevents the compiler from removing them."""
    import jax
    import jax.numpy as jnp

    from jax_resnet.data import stream
    from jax_resnet.training.setup import open_input

    data = open_input(*synthetic('ResNet-20', batch_size))
    augment, normalize = data.augmentation, data.preprocess.normalize
    images = jax.device_put(data.examples.images)  # type: ignore[attr-defined]

    @jax.jit
    def program(images: jax.Array) -> jax.Array:
        window = stream.window(jax.random.key(0), jnp.int32(0), batch_size, len(images))

        def step(i: jax.Array, total: jax.Array) -> jax.Array:
            chosen = images[window.batch(i % 2, batch_size)]
            if augmented:
                return total + augment(jax.random.key(i), chosen, normalize).sum()
            return total + chosen.sum(dtype=jnp.float32)

        return jax.lax.fori_loop(0, steps, step, jnp.float32(0))

    def run() -> float:
        began = time.perf_counter()
        jax.block_until_ready(program(images))
        return (time.perf_counter() - began) / steps

    return run


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--batch_size', type=int, default=128)
    parser.add_argument('--steps', type=int, default=10, help='number of steps in a round')
    parser.add_argument('--rounds', type=int, default=7)
    options = parser.parse_args()
    batch_size, steps = options.batch_size, options.steps
    seconds = in_turn(
        {
            'gathering': gathering(batch_size, steps, augmented=False),
            'gathering and augmentation': gathering(batch_size, steps, augmented=True),
            'the whole step of ResNet-20': ours('ResNet-20', batch_size, steps),
        },
        options.rounds,
    )
    whole = seconds['the whole step of ResNet-20']
    for name, value in seconds.items():
        print(f'{name}: {1e3 * value:.2f} ms, {value / whole:.1%} of the step')
    print(json.dumps({**versions(), 'batch_size': batch_size, 'seconds': seconds}))


if __name__ == '__main__':
    main()
