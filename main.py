"""Trains the network that a config describes: `python main.py --config=configs/resnet20_cifar10.py`.

Any field can be changed: `--config.seed=2`, `--config.train_for='2 epochs'`. A stopped run goes on by
the same command.
"""

from jax_resnet import signals

if __name__ == '__main__':
    signals.end_at_once()

import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from jax_resnet import command_line
from jax_resnet.backend import huge_pages, joining
from jax_resnet.backend.place import find_place
from jax_resnet.errors import ConfigError

flags.DEFINE_string('config', None, 'The config: a file, or file.py:argument; or a folder, to list its configs.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'The run folder; by default runs/<config>/[<changes>/]seed<seed>.')
_EXTEND_FROM = flags.DEFINE_string(
    'extend-from', None, "A shorter run's folder: a longer run begins with its last checkpoint; the original stays."
)
_COORDINATOR = flags.DEFINE_string(
    'coordinator', None, 'HOST:PORT of process 0, if several processes train one run without Slurm.'
)
_PROCESSES = flags.DEFINE_integer(
    'processes', None, 'The number of processes; with --coordinator. 1: one alone, also within Slurm.'
)
_PROCESS = flags.DEFINE_integer('process', None, 'Which of them this one is, from 0; with --coordinator.')
_JOIN_TIMEOUT = flags.DEFINE_float('join_timeout', 300.0, 'Seconds to wait for all processes at the start.')
_PATIENCE = flags.DEFINE_float('patience', 60.0, 'A process counts as missing after this many seconds of silence.')
_PROFILE = flags.DEFINE_bool('profile', False, 'Write a trace of a few steps to the run folder.')
flags.DEFINE_bool('debug', False, 'Show the traceback of an error.')


def main(argv: Sequence[str]) -> int:
    """Runs the command line; returns its exit code: 0, 2 for an error, 128 + the signal for a stop."""
    wanted = {'-h', '-help', '--help'} & set(argv)
    return command_line.run(
        lambda: _help(argv, wanted) if wanted else _train(argv),
        debug=bool({'--debug', '--debug=true', '--debug=True'} & set(argv)),
    )


def _help(argv: Sequence[str], flag: set[str]) -> None:
    print(f'{__doc__}\n{flags.FLAGS.main_module_help()}')
    argv = [argument for argument in argv if argument not in flag]
    if any(argument.startswith(('--config', '-config')) for argument in argv):
        from jax_resnet.config import fields, loader

        file, given = loader.parse(argv, flags.FLAGS)
        config = loader.read(file, given).config.to_dict()
        print(f'\nFields of {file}, changed by --config.field=value:\n')
        print(fields.describe(config))


def _train(argv: Sequence[str]) -> None:
    from jax_resnet.config import fields, identity, loader

    file, given = loader.parse(argv, flags.FLAGS)
    if Path(file).is_dir():
        print(command_line.list_files(Path(file), '--config', 'get_config'))
        return
    loaded = loader.read(file, given)
    fields.check(loaded.config.to_dict())
    if _WORKDIR.value == '':
        raise ConfigError('--workdir: must name a folder; got none')
    found = identity.find_folder(file, loaded.changes, loaded.given, loaded.config.seed)

    place = find_place(_COORDINATOR.value, _PROCESSES.value, _PROCESS.value)

    from jax_resnet import training  # heavy: what is above tells of an error at once
    from jax_resnet.backend import compilation_cache

    compilation_cache.enable()
    with joining.joined(place, _JOIN_TIMEOUT.value, _PATIENCE.value):
        training.train(
            loaded.config, _WORKDIR.value or found, profile=_PROFILE.value, extend_from=_EXTEND_FROM.value or None
        )


if __name__ == '__main__':
    huge_pages.restart()
    sys.exit(main(sys.argv))
