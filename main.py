"""Trains the network that a config describes: `python main.py --config=configs/resnet20_cifar10.py`.

Any field can be changed: `--config.seed=2`, `--config.train_for='2 epochs'`. A stopped run goes on by
the same command.
"""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import config_flags

_CONFIG = config_flags.DEFINE_config_file('config', None, 'The config: a file, or file.py:argument.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'The run folder; by default runs/<config>/[<changes>/]seed<seed>.')
_PROFILE = flags.DEFINE_bool('profile', False, 'Write a trace of a few steps to the run folder.')
_DEBUG = flags.DEFINE_bool('debug', False, 'Show the traceback of an error.')


def main(argv: Sequence[str]) -> int:
    """Runs the command line; returns its exit code: 0, 2 for an error, 128 + the signal for a stop."""
    if {'-h', '-help', '--help'} & set(argv):
        print(f'{__doc__}\n{flags.FLAGS.main_module_help()}')
        return 0
    try:
        _parse(argv)
    except Exception as e:  # absl and ml_collections raise many kinds, and a config file may raise any
        if '--debug' in argv:
            raise
        return _fail(e)

    from jax_resnet import training
    from jax_resnet.data import DataError
    from jax_resnet.training.run_folder import default_name

    try:
        overrides = config_flags.get_override_values(flags.FLAGS['config'])
        name = default_name(config_flags.get_config_filename(flags.FLAGS['config']), overrides, _CONFIG.value.seed)
        training.train(_CONFIG.value, _WORKDIR.value or name, profile=_PROFILE.value)
    except training.Stopped as stop:
        print(stop, file=sys.stderr)
        return 128 + stop.signal
    except KeyboardInterrupt:  # before training began to listen, or a second time
        return 128 + signal.SIGINT
    except (training.ConfigError, DataError, training.Diverged) as e:
        if _DEBUG.value:
            raise
        return _fail(e)
    return 0


def _parse(argv: Sequence[str]) -> None:
    rest = flags.FLAGS(argv)
    if len(rest) > 1:
        raise ValueError(f'unknown argument {rest[1]!r}; fields are changed by --config.field=value')
    if _CONFIG.value is None:
        raise ValueError('--config is needed, such as --config=configs/resnet20_digits.py')
    file = config_flags.get_config_filename(flags.FLAGS['config']).partition(':')[0]
    if not Path(file).is_file():
        raise ValueError(f'--config={file}: no such file; the configs lie in {Path(__file__).parent / "configs"}')


def _fail(error: Exception) -> int:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if any(line.startswith('Traceback') for line in lines):  # ml_collections tells the whole of an error in a config
        lines = lines[-1:]
    print('error: ' + ' '.join(lines), file=sys.stderr)
    return 2


if __name__ == '__main__':
    sys.exit(main(sys.argv))
