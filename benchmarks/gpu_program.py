"""Compiles the training step for a GPU, without a GPU, and counts its kernels: `python benchmarks/gpu_program.py`.

XLA's compiler only needs a description of the GPU (benchmarks/devices). The compiled program shows how many kernels a
step has, how many bytes they read and write, what the host launches, and what several GPUs exchange. Two bounds are
calculated from these; they are not measured. The first is the time of all kernels, one after another: each takes a
microsecond, or longer if its bytes take longer. The second is the time of the multiply-adds. A convolution counts as
one kernel, although cuDNN may run several. If the data is on the GPU, a step is one iteration of the program's loop.
If pictures are streamed, a step is the whole program, without the transfer of the pictures to the GPU; no picture is
needed. Needs the compiler of jax's version (pip install -c constraints.txt -e '.[gpu-program]'). Prints a table and,
last, a line of JSON.
"""

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from networks import NETWORKS, blackened, fields, multiply_adds, synthetic

DEVICES = Path(__file__).parent / 'devices'
LEAST_SECONDS = 1e-6
"""The least time from the start of a kernel in a CUDA graph to the start of the next: about what NVIDIA states."""
MULTIPLY_ADDS = {'bfloat16': 494.7e12, 'float32': 247.4e12}
"""Multiply-adds a second of an H100 or H200, by their data sheet: dense, and TF32 for float32."""
LAYOUTS = ('training', 'unstacked', 'stacked')
COLUMNS = {
    'kernels': ('kernels', '{:,}'),
    'gigabytes': ('GB read and written', '{:.2f}'),
    'launches': ('launches by the host', '{}'),
    'collectives': ('collectives', '{:,}'),
    'collective_megabytes': ('MB in them', '{:.2f}'),
    'network_ms': ('network exchange, ms', '{:.2f}'),
    'temporary_megabytes': ('temporary memory, MB', '{:,.0f}'),
    'compile_seconds': ('compiling, s', '{:.0f}'),
    'least_ms_kernels': ('kernels take at least, ms', '{:.2f}'),
    'teraflops': ('TFLOP', '{:.2f}'),
    'least_ms_products': ('multiply-adds, ms', '{:.2f}'),
    'most_images_a_second': ('images/s at most', '{:,.0f}'),
}
"""The columns, by the name in the JSON: the heading, and the format of the numbers."""


def program(
    case: str,
    dtype: str,
    layout: str,
    gpu: str,
    devices: int,
    batch_size: int,
    size: int,
    hosts: int,
    network: float,
    changes: dict[str, Any],
) -> dict[str, Any]:
    """Compiles one program and counts. The environment variable DUMP names the folder that XLA dumps to."""
    import flax.linen as nn
    import hlo
    import jax
    import jax.numpy as jnp
    import numpy as np
    from jax.experimental import topologies
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    from jax_resnet.platform import for_platform
    from jax_resnet.training import setup
    from jax_resnet.training.step import Numbers, Steps
    from jax_resnet.training.streamed import StreamedInput

    described = (DEVICES / f'{gpu}.txtpb').read_text()
    topology = topologies.get_topology_desc(
        gpu, 'cuda', target_config=described, topology=f'1x{hosts}x{devices // hosts}'
    )
    changes = {'precision.compute': dtype, **changes}
    given = synthetic(case, batch_size, size, **changes) if case in NETWORKS else blackened(case, changes)
    config, made = given[0], setup.set_up(*given)
    data, schedule = made.data, made.schedule
    plain = {'conv': nn.Conv, 'unroll': 1, 'rematerialize': config.memory.rematerialize}  # nothing for CPUs
    model, mesh = made.model.clone(**plain, **for_platform('gpu').network), Mesh(np.array(topology.devices), ('data',))
    settings = made._replace(model=model, mesh=mesh).training_backend()
    if layout == 'training':
        net, flat_arrays = settings.program_network(model), settings.flat_arrays
    else:  # the network of `models`, stacked or unstacked
        net, flat_arrays = model.clone(stacked=layout == 'stacked'), False
    steps = Steps(config, net, flat_arrays, data.augmentation, NamedSharding(mesh, PartitionSpec('data')))
    numbers, everywhere = (
        Numbers.create(config.seed, schedule, data.preprocess.normalize),
        NamedSharding(mesh, PartitionSpec()),
    )

    def shapes(tree: Any) -> Any:
        return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=everywhere), tree)

    def run(*arguments: Any) -> Any:  # the dump has this function's name
        return steps.step(*arguments) if streams else steps.run(*arguments)

    if streams := isinstance(data, StreamedInput):
        side, count = config.dataset.crop, config.batch_size
        arrays = ((count, side, side, 3), np.uint8), ((count,), np.int32), ((count, 2), np.uint32)
        batch = [jax.ShapeDtypeStruct(shape, dtype, sharding=steps.by_example) for shape, dtype in arrays]
        packed = jax.eval_shape(steps.pack, made.like)
        arguments = [*shapes((packed, numbers)), *batch]
    else:
        examples = data.examples  # type: ignore[attr-defined]
        arguments = shapes((made.like, jnp.int32(0), numbers, examples.images, examples.labels))
    run = jax.jit(run, compiler_options=dict(settings.compiler_options), donate_argnums=0, out_shardings=everywhere)
    lowered = run.lower(*arguments)
    began = time.monotonic()
    compiled = lowered.compile()
    seconds = time.monotonic() - began
    found, launched = hlo.read(Path(os.environ['DUMP']), 'jit_run', has_loop=not streams)
    bandwidth = float(described.split('memory_bandwidth: ')[1].split()[0])
    kernels = sum(max(LEAST_SECONDS, moved / bandwidth) for moved in found.bytes)
    height, width, channels = data.image_shape
    crop = config.dataset.crop  # the size of training images, if it differs
    of_a_step = multiply_adds(model, config.batch_size, (crop or height, crop or width, channels))
    products = of_a_step / devices / MULTIPLY_ADDS[dtype]
    return {
        'network': case, 'dtype': dtype, 'layout': layout, 'gpu': gpu, 'devices': devices,
        'batch_size': config.batch_size,
        'jax': jax.__version__,
        'kernels': found.kernels.total(),
        'gigabytes': sum(found.bytes) / 1e9,
        'launches': launched.all,
        'loop_is_one_graph': launched.loop_is_a_graph,
        'inner_loop_iterations': found.inner_iterations,
        'collectives': len(found.collectives),
        'collective_megabytes': sum(found.collectives) / 1e6,
        'hosts': hosts,
        'network_ms': 1e3 * 8 * 2 * (devices - 1) / devices * sum(found.collectives) / (1e9 * network),
        'temporary_megabytes': compiled.memory_analysis().temp_size_in_bytes / 1e6,
        'compile_seconds': seconds,
        'least_ms_kernels': 1e3 * kernels,
        'teraflops': 2e-12 * of_a_step / devices,
        'least_ms_products': 1e3 * products,
        'most_images_a_second': config.batch_size / max(kernels, products),
        'operations': dict(found.kernels.most_common()),
    }  # fmt: skip


def in_a_process(dump: Path | None, *case: Any) -> dict[str, Any]:
    """Calls `program` in a new process, because XLA reads its options when a process starts.

    Args:
        dump: where to keep the files that XLA writes, in a folder for each program; None keeps none.
        *case: the arguments of `program`.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = temporary if dump is None else dump / '-'.join(str(word).replace(' ', '_') for word in case[:6])
        os.environ.update(
            JAX_PLATFORMS='cpu',
            JAX_SKIP_CUDA_CONSTRAINTS_CHECK='1',
            DUMP=str(folder),
            XLA_FLAGS=f'--xla_gpu_autotune_level=0 --xla_dump_to={folder} --xla_dump_hlo_module_re=jit_run',
        )
        with ProcessPoolExecutor(1, multiprocessing.get_context('spawn')) as pool:
            return pool.submit(program, *case).result()


def title(one: dict[str, Any]) -> str:
    """Names a program."""
    gpus = f'{one["devices"]} x {one["gpu"].upper()}' + (f' in {one["hosts"]} hosts' if one['hosts'] > 1 else '')
    return f'{one["network"]}, {one["dtype"]}, {one["layout"]}, batch {one["batch_size"]:,}, {gpus}'


def row(one: dict[str, Any]) -> str:
    """Returns a row of the table."""
    cells = [template.format(one[name]) for name, (_, template) in COLUMNS.items()]
    return f'| {" | ".join([title(one), *cells])} |'


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--networks',
        nargs='+',
        default=['ResNet-20', 'ResNet-110'],
        metavar='NAME',
        help=f'{", ".join(NETWORKS)}; or the file of a config',
    )
    parser.add_argument('--dtypes', nargs='+', default=['bfloat16'], choices=[*MULTIPLY_ADDS])
    parser.add_argument(
        '--layouts',
        nargs='+',
        default=['training'],
        choices=LAYOUTS,
        help='training is the layout that training uses; the others are the plain network, in two layouts',
    )
    parser.add_argument('--gpu', default='h200', choices=sorted(file.stem for file in DEVICES.glob('*.txtpb')))
    parser.add_argument('--devices', nargs='+', type=int, default=[1])
    parser.add_argument('--hosts', type=int, default=1, help='number of hosts, each with the same number of devices')
    parser.add_argument(
        '--network',
        type=float,
        default=400.0,
        help='network rate of each GPU in Gbit/s, for the time of the exchange in a ring',
    )
    parser.add_argument(
        '--batch_sizes',
        nargs='+',
        type=int,
        default=[128],
        help='batch sizes of the named networks; a config has its own',
    )
    parser.add_argument('--size', type=int, default=32, help='size of the images in pixels')
    parser.add_argument(
        '--set',
        nargs='+',
        default=[],
        metavar='FIELD=VALUE',
        help='fields of the config to change, such as batch_norm.group_size=32',
    )
    parser.add_argument('--operations', action='store_true', help='list the kernels by operation')
    parser.add_argument('--dump', type=Path, help='folder for the files that XLA writes for each program')
    options = parser.parse_args()
    changes = fields(options.set)
    names = [name for name, _ in COLUMNS.values()]
    print(f'| program | {" | ".join(names)} |\n|---|{"---:|" * len(names)}', flush=True)
    results = []
    for network in options.networks:
        for dtype in options.dtypes:
            for layout in options.layouts:
                for devices in options.devices:
                    for batch in options.batch_sizes:
                        machines = options.hosts, options.network
                        case = (network, dtype, layout, options.gpu, devices, batch, options.size, *machines, changes)
                        results.append(in_a_process(options.dump, *case))
                        print(row(results[-1]), flush=True)
                        for operation, number in results[-1]['operations'].items() if options.operations else ():
                            print(f'    {number:6,} {operation}', flush=True)
    print(json.dumps(results))


if __name__ == '__main__':
    main()
