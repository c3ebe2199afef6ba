"""Trains the network that a config describes: `python main.py --config=configs/resnet20_cifar10.py`.

Any field can be changed: `--config.seed=2`, `--config.train_for='2 epochs'`. A stopped run goes on by
the same command.
"""

import ast
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict, config_flags

from jax_resnet import command_line
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
        from jax_resnet.training import fields

        print(f'\nFields of {_parse(argv)}, changed by --config.field=value:\n')
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
    config_file = _parse(argv)
    from jax_resnet import training
    from jax_resnet.training.run_folder import default_name

    workdir: str | Path | None = _WORKDIR.value
    if workdir == '':
        raise ConfigError('--workdir: must name a folder; got none')
    if workdir is None:
        overrides = config_flags.get_override_values(flags.FLAGS['config'])
        workdir = default_name(config_file, overrides, _CONFIG.value.get('seed', 0))
    training.train(_CONFIG.value, workdir, profile=_PROFILE.value)


def _parse(argv: Sequence[str]) -> str:
    """Parses the flags; returns the config file, with its argument. Raises ConfigError."""
    changed = [match[1] for argument in argv if (match := re.match(r'--?config\.([^=]*)', argument))]
    if changed:
        from jax_resnet.training import fields

        for field in changed:
            fields.check_name(field)
    try:
        rest = flags.FLAGS(argv)
    except (Exception, SystemExit) as e:  # absl and ml_collections raise many kinds, and a config file may raise any
        if isinstance(e, AttributeError) and any(field.startswith('model.') for field in changed):
            # The fields of `model` depend on the config, so that only the config itself could check them.
            reason = ' '.join(str(e).strip('\'"').replace("\\'", '').replace('\\n', '; ').split())
            raise ConfigError(f'config.model has no field {reason}') from e
        lines, where = [line.strip() for line in str(e).splitlines() if line.strip()], ''
        flag = re.match(r'flag --config\.([\w.]+)=(.*?): ', str(e))
        if flag and flag[1] in fields.FIELDS:
            raise ConfigError(f'config.{flag[1]}={flag[2]!r}: must be {fields.FIELDS[flag[1]].allowed}') from e
        if any(line.startswith('Traceback') for line in lines):  # of an error in a config file
            lines, where = lines[-1:], f'{_config_flag(argv)}: '
        elif not isinstance(e, flags.Error):
            where = f'{_config_flag(argv)}: {type(e).__name__}: '
        raise ConfigError(where + ' '.join(lines)) from e
    if len(rest) > 1:
        raise ConfigError(f'unknown argument {rest[1]!r}; fields are changed by --config.field=value')
    if _CONFIG.value is None and not _config_flag(argv):
        raise ConfigError('--config is needed, such as --config=configs/resnet20_digits.py')
    name: str = config_flags.get_config_filename(flags.FLAGS['config'])
    file = name.partition(':')[0]
    if not Path(file).is_file():
        raise ConfigError(f'--config={file}: no such file; the configs lie in {Path(__file__).parent / "configs"}')
    if not isinstance(_CONFIG.value, Mapping | ConfigDict):
        kind = type(_CONFIG.value).__name__
        raise ConfigError(f'{_config_flag(argv)}: its get_config must return a ConfigDict; it returns {kind}')
    return name


def _config_flag(argv: Sequence[str]) -> str:
    match = re.search(r'(?:^|\n)--?config[=\n](.*)', '\n'.join(argv))
    return f'--config={match[1]}' if match else ''


if __name__ == '__main__':
    sys.exit(main(sys.argv))
