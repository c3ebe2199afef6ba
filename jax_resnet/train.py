"""Trains the network that a config describes: `python -m jax_resnet.train --config=resnet20_cifar10`.

`main.py` in the repository is the same. --config takes the name of a config, which is looked up in the folder `configs`
here and then in the package, or the path of a file; what follows a colon is the file's argument. Any field can be
changed: `--config.seed=2`, `--config.train_for='2 epochs'`. The same command continues a stopped run.
"""

from jax_resnet import signals

if __name__ == '__main__':
    signals.end_at_once()

import sys
from collections.abc import Sequence

from absl import flags

from jax_resnet import command_line
from jax_resnet.errors import ConfigError
from jax_resnet.hosts import joining
from jax_resnet.hosts.place import find_place

flags.DEFINE_string('config', None, 'The config: a name or file, perhaps with :argument; or a folder, to list it.')
_WORKDIR = flags.DEFINE_string(
    'workdir', None, 'The run folder; by default runs/<config>[-<argument>]/[<changes>/]seed<seed>.'
)
_EXTEND_FROM = flags.DEFINE_string(
    'extend-from', None, 'Folder of a shorter run. The new run begins with its last checkpoint, and does not change it.'
)
_COORDINATOR = flags.DEFINE_string(
    'coordinator', None, 'HOST:PORT of process 0, if several processes train one run without Slurm.'
)
_PROCESSES = flags.DEFINE_integer(
    'processes', None, 'The number of processes; with --coordinator. 1 means a single process, also within Slurm.'
)
_PROCESS = flags.DEFINE_integer('process', None, 'The index of this process, from 0; with --coordinator.')
_JOIN_TIMEOUT = flags.DEFINE_integer('join-timeout', 300, 'Seconds to wait for all processes at the start.', 1)
_PATIENCE = flags.DEFINE_integer('patience', 60, 'A process counts as missing after this many seconds of silence.', 5)
_PROFILE = flags.DEFINE_bool('profile', False, 'Write a trace of a few steps to the run folder.')
flags.DEFINE_bool('debug', False, 'Show the traceback of an error.')

HELP_FLAGS = {'-h', '-help', '--help'}


def main(argv: Sequence[str]) -> int:
    """Runs the command line. Returns the exit code: 0, 2 for an error, or 128 + the signal's number after a stop."""
    command = _help if HELP_FLAGS & set(argv) else _train
    return command_line.run(
        lambda: command(argv),
        debug=bool({'--debug', '--debug=true', '--debug=True'} & set(argv)),
    )


def _help(argv: Sequence[str]) -> None:
    own = flags.FLAGS.find_module_defining_flag('workdir')
    print(f'{__doc__}\n{flags.FLAGS.module_help(own)}')
    argv = [argument for argument in argv if argument not in HELP_FLAGS]
    if any(argument.startswith(('--config', '-config')) for argument in argv):
        from jax_resnet.config import fields, loading

        file, changes = _parse(argv)
        print(f'\nFields of {file}, changed by --config.field=value:\n')
        print(fields.describe(loading.load(file, changes)[0]))


def _parse(argv: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Parses the flags. Returns the config file, and the texts of changed fields by dotted name."""
    from jax_resnet.config import arguments

    try:
        words = flags.FLAGS.read_flags_from_files(list(argv[1:]), force_gnu=False)
        rest, file, changes = arguments.separate(words)
        others = flags.FLAGS([argv[0], *rest])[1:]
    except (flags.Error, UnicodeDecodeError) as e:
        raise ConfigError(' '.join(str(e).split())) from e
    if others:
        raise ConfigError(f'unknown argument {others[0]!r}; fields are changed by --config.field=value')
    if file is None:
        raise ConfigError('--config: must be given, such as --config=configs/resnet20_digits.py')
    return file, changes


def _train(argv: Sequence[str]) -> None:
    from jax_resnet.config import identity, loading

    file, given = _parse(argv)
    path = loading.find(file, 'config')
    if path.is_dir():
        print(command_line.list_files(path, '--config', 'get_config'))
        return
    config, changes = loading.load(file, given)
    for flag in (_WORKDIR, _EXTEND_FROM):
        if flag.value == '':
            raise ConfigError(f'--{flag.name}: must name a folder; got none')
    default_workdir = identity.default_name(file, changes, config.seed)

    place = find_place(_COORDINATOR.value, _PROCESSES.value, _PROCESS.value)

    from jax_resnet import training  # slow to import, so that errors above are reported first
    from jax_resnet.platform import compilation_cache

    compilation_cache.enable()
    with joining.joined(place, _JOIN_TIMEOUT.value, _PATIENCE.value):
        training.train(
            config,
            _WORKDIR.value or default_workdir,
            profile=_PROFILE.value,
            extend_from=_EXTEND_FROM.value,
            file=file,
            changes=changes,
        )


if __name__ == '__main__':
    sys.exit(main(sys.argv))
