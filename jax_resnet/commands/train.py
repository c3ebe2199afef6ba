"""Trains the network of a config, or continues its run.

`main.py` in the repository is the same. --config takes the name of a config, which is looked up in the folder `configs`
here and then in the package, or the path of a file; what follows a colon is the file's argument. Any field can be
changed: `--config.seed=2`, `--config.train_for='2 epochs'`. With --config, --help lists all fields. The same command
continues a stopped run.
"""

import argparse

from jax_resnet.commands import command_line
from jax_resnet.config import identity, loading
from jax_resnet.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    command_line.add_config(parser, 'the config: a name or file, perhaps with :argument; or a folder, to list it')
    parser.add_argument('--workdir', help='the run folder (default: runs/<config>[-<argument>]/[<changes>/]seed<seed>)')
    parser.add_argument(
        '--extend-from',
        metavar='RUN[@STEP]',
        help='folder of a shorter run, which does not change; the new run begins with its last checkpoint, or with '
        'that of a step, which keep_every keeps',
    )
    parser.add_argument(
        '--shorten',
        type=int,
        metavar='N',
        help='divide the length of training, the drops and the warm-up by this, as --config.shorten does',
    )
    parser.add_argument('--profile', action='store_true', help='write a trace of a few steps to the run folder')
    several = parser.add_argument_group('several processes that train one run without Slurm')
    several.add_argument('--coordinator', metavar='HOST:PORT', help='the address of process 0')
    several.add_argument(
        '--processes', type=int, help='the number of processes; 1 means a single process, also within Slurm'
    )
    several.add_argument('--process', type=int, help='the index of this process, from 0')
    several.add_argument(
        '--join-timeout', type=int, default=300, metavar='SECONDS', help='wait for all at the start (default: 300)'
    )
    several.add_argument(
        '--patience', type=int, default=60, metavar='SECONDS', help='a process this silent is missing (default: 60)'
    )


def run(options: argparse.Namespace) -> None:
    from jax_resnet.hosts import joining
    from jax_resnet.hosts.rank import find_rank

    file, given = options.config, options.changes
    if file is None:
        raise ConfigError('--config: must be given, such as --config=configs/resnet20_digits.py')
    if command_line.list_folder(file, 'config'):
        return
    if options.shorten is not None:
        given |= {'shorten': str(options.shorten)}
    config, changes = loading.load(file, given)
    for flag, folder in (('workdir', options.workdir), ('extend-from', options.extend_from)):
        if folder == '':
            raise ConfigError(f'--{flag}: must name a folder; got none')
    workdir = options.workdir or identity.default_name(file, changes, config.seed)
    rank = find_rank(options.coordinator, options.processes, options.process)

    from jax_resnet import training  # slow to import, so that errors above are reported first
    from jax_resnet.platform import compilation_cache
    from jax_resnet.training.progress import Progress, Silent

    compilation_cache.enable()
    with joining.joined(rank, options.join_timeout, options.patience):
        summary = training.train(
            config,
            workdir,
            profile=options.profile,
            progress=Silent if options.quiet else Progress,
            extend_from=options.extend_from,
            file=file,
            changes=changes,
        )
    if options.quiet and summary:
        print(f'{workdir}: test error {summary["final_test_error"]:.2f} %')
