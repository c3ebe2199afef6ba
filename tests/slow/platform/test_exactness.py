"""A platform that JAX does not have."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize('platform', ['nope', 'cpu,nope'])
def test_a_missing_platform(platform: str) -> None:
    program = (
        'from jax_resnet.commands import command_line\n'
        'from jax_resnet.platform.exactness import exact\n'
        'raise SystemExit(command_line.run(lambda: exact().__enter__()))'
    )
    environment = os.environ | {'JAX_PLATFORMS': platform}
    done = subprocess.run([sys.executable, '-c', program], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f'error: JAX_PLATFORMS={platform}: must name') and done.stderr.count('\n') == 1
