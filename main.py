"""Trains the network that a config describes: `python main.py --config=configs/resnet20_cifar10.py`.

Any field can be changed: `--config.seed=2`, `--config.train_for='2 epochs'`. A stopped run goes on by
the same command.
"""

import ast
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from jax_resnet import command_line
from jax_resnet.backend import huge_pages
from jax_resnet.config import loader
from jax_resnet.errors import ConfigError

_CONFIG = config_flags.DEFINE_config_file('config', None, 'The config: a file, or file.py:argument.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'The run folder; by default runs/<config>/[<changes>/]seed<seed>.')
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
    if any(argument.startswith(('--config=', '-config=')) for argument in argv):
        from jax_resnet.config import fields

        print(f'\nFields of {loader.parse(argv, flags.FLAGS)}, changed by --config.field=value:\n')
        print(fields.describe(_CONFIG.value.to_dict()))


def _list_configs(folder: Path) -> str:
    """A line for each config in a folder: its name, and the first line of its docstring. ConfigError if none."""
    lines = []
    for path in sorted(folder.glob('*.py')):
        tree = ast.parse(path.read_text())
        if any(isinstance(node, ast.FunctionDef) and node.name == 'get_config' for node in tree.body):
            lines.append(f'  {path}: {(ast.get_docstring(tree) or "").partition(chr(10))[0]}')
    if not lines:
        raise ConfigError(f'--config={folder}: must be a config, or a folder of them; it has none')
    return '\n'.join(lines)


def _train(argv: Sequence[str]) -> None:
    for argument in argv[1:]:
        folder = Path(argument.removeprefix('--config='))
        if argument.startswith('--config=') and folder.is_dir():
            print(_list_configs(folder))
            return
    file = loader.parse(argv, flags.FLAGS)
    from jax_resnet import training
    from jax_resnet.backend import compilation_cache
    from jax_resnet.config.identity import default_name

    compilation_cache.enable()
    workdir: str | Path | None = _WORKDIR.value
    if workdir == '':
        raise ConfigError('--workdir: must name a folder; got none')
    if workdir is None:
        overrides = config_flags.get_override_values(flags.FLAGS['config'])
        workdir = default_name(file, overrides, _CONFIG.value.get('seed', 0))
    training.train(_CONFIG.value, workdir, profile=_PROFILE.value)


if __name__ == '__main__':
    huge_pages.restart()
    sys.exit(main(sys.argv))
