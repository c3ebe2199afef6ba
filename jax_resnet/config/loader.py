"""A config file with fields changed as a command line changes them: what `main.py` and the studies share."""

import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from jax_resnet.errors import ConfigError


def parse(argv: Sequence[str], values: flags.FlagValues) -> str:
    """Parses a command line that has the flag `config`.

    Args:
        argv: the program's name, then `--config=file.py:argument`, `--config.field=value` and other flags.
        values: the flags, of which `config` was made by `config_flags.DEFINE_config_file`.

    Returns:
        The config file, with its argument.

    Raises:
        ConfigError: no such file, field or flag; a value of another type; whatever the config file raises.
    """
    changed = [match[1] for argument in argv if (match := re.match(r'--?config\.([^=]*)', argument))]
    if changed:
        from jax_resnet.config import fields

        for field in changed:
            fields.check_name(field)
    try:
        rest = values(argv)
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
    if values['config'].value is None and not _config_flag(argv):
        raise ConfigError('--config is needed, such as --config=configs/resnet20_digits.py')
    name: str = config_flags.get_config_filename(values['config'])
    file = name.partition(':')[0]
    if not Path(file).is_file():
        raise ConfigError(f'--config={file}: no such file; the configs lie in the folder configs of the repository')
    if not isinstance(values['config'].value, Mapping | ConfigDict):
        kind = type(values['config'].value).__name__
        raise ConfigError(f'{_config_flag(argv)}: its get_config must return a ConfigDict; it returns {kind}')
    return name


def load(file: str, changes: Mapping[str, Any]) -> tuple[ConfigDict, dict[str, Any]]:
    """The config of a file, with fields changed, and the changes with the types that a command line gives them.

    Args:
        file: such as `configs/lab_cifar10.py:resnet56`.
        changes: by dotted name, values or their text: {'seed': 2, 'train_for': '2 epochs'}.

    Raises:
        ConfigError: as `parse`.
    """
    argv = ['', f'--config={file}', *(f'--config.{name}={value}' for name, value in changes.items())]
    values = flags.FlagValues()
    config_flags.DEFINE_config_file('config', flag_values=values, sys_argv=argv)
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', r'the load_module\(\) method', DeprecationWarning)  # ml_collections calls it
        parse(argv, values)
    return values['config'].value, config_flags.get_override_values(values['config'])


def _config_flag(argv: Sequence[str]) -> str:
    match = re.search(r'(?:^|\n)--?config[=\n](.*)', '\n'.join(argv))
    return f'--config={match[1]}' if match else ''
