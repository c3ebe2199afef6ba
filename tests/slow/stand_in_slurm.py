"""A stand-in for Slurm on one machine, for tests: `sbatch`, `srun`, `scontrol requeue` and `sacct`, by this file's name.

A job's nodes are all this machine; its tasks are processes. `scontrol requeue` has the job's script run again, as soon
as it has ended.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(os.environ['STAND_IN_SLURM'])
"""Holds a folder for each job: its script, what it was given, and whether it is to run again."""


def options(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """Those before the command, and the command."""
    found = {}
    while words and words[0].startswith('--'):
        name, equals, value = words.pop(0).removeprefix('--').partition('=')
        takes_value = name in ('output', 'error')
        found[name] = value if equals else (words.pop(0) if takes_value else '')
    return found, words


def sbatch(words: list[str]) -> None:
    """Begins a job, or an array of them, and returns."""
    script = Path(words[-1]).read_text()
    given = dict(re.findall(r'^#SBATCH --([a-z-]+)(?:=(\S+))?', script, re.MULTILINE))
    number = str(os.getpid())  # jobs of other tests have other numbers, and so other ports
    (FOLDER / number).mkdir()
    first, last = re.match(r'(\d+)-(\d+)', given.get('array', '0-0')).groups()  # type: ignore[union-attr]
    for index in range(int(first), int(last) + 1):
        subprocess.Popen(
            [sys.executable, __file__, 'job', number, str(index), words[-1], str('array' in given)],
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=(FOLDER / number / f'errors{index}').open('w'),
        )
    print(f'Submitted batch job {number}')


def job(words: list[str]) -> None:
    """Runs a job's script, and again where it is to be requeued."""
    number, index, script, is_array = words
    given = dict(re.findall(r'^#SBATCH --([a-z-]+)(?:=(\S+))?', Path(script).read_text(), re.MULTILINE))
    nodes, tasks = int(given.get('nodes', 1)), int(given.get('ntasks-per-node', 1))
    variables = {
        **os.environ,
        'SLURM_JOB_ID': str(int(number) + int(index)),
        'SLURM_JOB_NUM_NODES': str(nodes),
        'SLURM_NTASKS': str(nodes * tasks),
        'STAND_IN_JOB': f'{number} {nodes} {tasks}',
    }
    if is_array == 'True':
        variables |= {'SLURM_ARRAY_JOB_ID': number, 'SLURM_ARRAY_TASK_ID': index}
    again, starts = FOLDER / number / f'again{index}', 0
    while True:
        subprocess.run(['bash', script], env={**variables, 'SLURM_RESTART_COUNT': str(starts), 'AGAIN': str(again)})
        if not again.exists():
            break
        again.unlink()
        starts += 1
    (FOLDER / number / f'ended{index}').touch()


def srun(words: list[str]) -> None:
    """Runs a command as each task of the job; ends with the highest exit code."""
    given, command = options(words)
    number, nodes, tasks = os.environ['STAND_IN_JOB'].split()
    count, processes = int(nodes) * int(tasks), []
    for rank in range(count):
        variables = {
            **os.environ,
            'SLURM_PROCID': str(rank),
            'SLURM_LOCALID': str(rank % int(tasks)),
            'SLURM_GTIDS': ','.join(str(other) for other in range(count) if other // int(tasks) == rank // int(tasks)),
            'SLURM_STEP_ID': '0',
            'SLURM_STEP_NUM_TASKS': str(count),
            'SLURM_STEP_NODELIST': 'localhost',
        }
        streams = {
            stream: Path(named(given[name], number, rank)).open('a')  # noqa: SIM115  (of the process)
            for stream, name in (('stdout', 'output'), ('stderr', 'error'))
            if name in given
        }
        processes.append(subprocess.Popen(command, env=variables, **streams))
        (FOLDER / number / f'task{rank}').write_text(str(processes[-1].pid))
    codes = [process.wait() for process in processes]
    sys.exit(max(code if code >= 0 else 128 - code for code in codes))


def named(pattern: str, number: str, rank: int) -> str:
    """A file's name, from srun's pattern."""
    places = {'%A': number, '%a': os.environ.get('SLURM_ARRAY_TASK_ID', '0'), '%t': str(rank), '%j': number}
    return re.sub('%[Aatj]', lambda match: places[match[0]], pattern)


def scontrol(words: list[str]) -> None:
    """`scontrol requeue JOB`: it runs again when it has ended."""
    Path(os.environ['AGAIN']).touch()
    time.sleep(0.1)


def sacct(words: list[str]) -> None:
    """Says nothing of any job: whoever asks looks for their files."""


if __name__ == '__main__':
    words = sys.argv[1:]
    name = Path(sys.argv[0]).name
    name = words.pop(0) if name.endswith('.py') else name
    {'sbatch': sbatch, 'job': job, 'srun': srun, 'scontrol': scontrol, 'sacct': sacct}[name](words)
