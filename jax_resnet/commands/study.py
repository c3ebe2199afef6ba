"""Trains the runs of a study, or lists them.

Finished runs are kept, stopped runs are continued, and missing runs are trained. If a run fails, the error names it and
the others go on. The same command continues a stopped study. `python -m jax_resnet report` reports on it.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from jax_resnet import files
from jax_resnet.commands import command_line
from jax_resnet.errors import ConfigError, UserError
from jax_resnet.runs.run import FINISHED, RUNNING, STUDY


class RunsFailed(UserError):
    """Some runs of the study failed. The others are finished."""

    exit_code = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        '--study',
        help='the study: FILE or FILE:ARGUMENT, where the argument selects rows; for a folder, its studies are listed '
        '(default: configs/studies)',
        default='configs/studies',
    )
    add('--seeds', default='0', help='seeds of each row, such as 0,1,2 (default: 0)')
    add(
        '--set', action='append', default=[], metavar='FIELD=VALUE', help='change a field in every run; may be repeated'
    )
    add('--shorten', type=int, help='divide the length of training, the drops and the warm-up of every run by this')
    add(
        '--rehearse',
        action='store_true',
        help='train on the digits, with --shorten=20 (of a recipe in steps: 700) if it is not given; reports say so',
    )
    add('--list', action='store_true', help='only show the runs, their folders and states; with --json also commands')
    add('--devices', help='GPUs, such as 0,1 (default: all); each GPU trains one run at a time')
    add(
        '--launcher',
        choices=('local', 'slurm'),
        default='local',
        help='where the runs are trained: on this machine, or by Slurm',
    )
    add(
        '--slurm',
        action='append',
        default=[],
        metavar='OPTION=VALUE',
        help='a parameter of submitit, such as slurm_partition=gpu, nodes=2 or gpus_per_node=8; may be repeated',
    )
    command_line.add_json(parser)


def run(options: argparse.Namespace) -> None:
    """Trains or lists the runs. Raises RunsFailed if some failed."""
    on_slurm = options.launcher == 'slurm'
    if on_slurm and options.devices is not None:
        raise ConfigError(f'--devices={options.devices}: must be given without --launcher=slurm')
    if options.slurm and not on_slurm:
        raise ConfigError(f'--slurm={options.slurm[0]}: must be given with --launcher=slurm')
    if options.json and not options.list:
        raise ConfigError('--json: must be given with --list')
    if command_line.list_folder(options.study, 'study'):
        return
    import jax

    jax.config.update('jax_platforms', 'cpu')  # leaves the GPUs to the runs, which are separate processes
    from jax_resnet import studies

    changes = dict(_pair('--set', argument, "train_for='1 epoch'") for argument in options.set)
    if options.shorten is not None:
        changes['shorten'] = str(options.shorten)
    plan = studies.read(options.study, _seeds(options.seeds), changes, options.rehearse)
    for note in plan.notes:
        print(note, file=sys.stderr if options.json else sys.stdout)
    if options.list:
        _list(plan, options.json)
    else:
        _train(plan, options)


def _train(plan: Any, options: argparse.Namespace) -> None:
    """Trains the runs that are missing."""
    from jax_resnet.hosts.rank import find_gpus
    from jax_resnet.studies import local, slurm
    from jax_resnet.studies.progress import read_run

    runs = {job: read_run(job) for job in plan.jobs}
    running = [job for job, run in runs.items() if run.state == RUNNING]
    to_do = [job for job, run in runs.items() if run.state not in (FINISHED, RUNNING)]
    finished = len(runs) - len(to_do) - len(running)
    if options.launcher == 'slurm':
        given = dict(_pair('--slurm', argument, 'timeout_min=600') for argument in options.slurm)
        executor = slurm.executor(plan.folder / 'slurm', given)
        train_all = partial(slurm.train_all, executor=executor, train=slurm.Train(command_line.main))
    else:
        devices = find_gpus() if options.devices is None else options.devices.split(',')
        if '' in devices or len({*devices}) < len(devices):
            raise ConfigError(f'--devices={options.devices}: must be different GPUs, such as 0,1')
        train_all = partial(local.train_all, devices=devices)
    plan.folder.mkdir(parents=True, exist_ok=True)
    files.write({plan.folder / STUDY: json.dumps(plan.describe(), indent=2, ensure_ascii=False).encode()})
    count = '1 run' if len(runs) == 1 else f'{len(runs)} runs'
    print(f'{plan.question}\n{count}: {finished} finished, {len(to_do)} to train', flush=True)
    for job in running:
        print(f'{job.name}: {runs[job]}')
    failed = train_all(to_do) if to_do else {}
    if failed:
        names = '; '.join(f'{job.name} ({job.folder}): {reason}' for job, reason in failed.items())
        raise RunsFailed(f'{len(failed)} of {len(runs)} runs failed: {names}')
    print(f'python -m jax_resnet report {plan.folder} --out=runs/report.html')


def _list(plan: Any, as_json: bool) -> None:
    from jax_resnet.studies.progress import read_run

    lines, listed = [plan.question], []
    for row in plan.rows:
        lines.append(f'{row.title}: {row.parameters:,} parameters')
        for job in row.jobs:
            run = read_run(job)
            lines.append(f'  seed {job.seed}: {run}; {job.folder}')
            listed.append(
                {'row': row.about['label'], 'group': row.about['group'], 'parameters': row.parameters, 'seed': job.seed}
                | {'state': run.state, 'folder': str(run.folder), 'test_error': run.summary.get('final_test_error')}
                | {'command': job.command}
            )
    command_line.print_json(listed) if as_json else print('\n'.join(lines))


def _seeds(argument: str) -> Sequence[int]:
    try:
        seeds = sorted({int(seed) for seed in argument.split(',')})
    except ValueError:
        seeds = []
    if not seeds or seeds[0] < 0:
        raise ConfigError(f'--seeds={argument}: must be integers from 0, such as 0,1,2')
    return seeds


def _pair(flag: str, argument: str, example: str) -> tuple[str, str]:
    name, equals, value = argument.partition('=')
    if not equals or not name:
        raise ConfigError(f'{flag}={argument}: must be a name and a value, such as {flag}={example}')
    return name, value
