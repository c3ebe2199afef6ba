"""A platform that JAX does not have."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize('platform', ['gpu', 'nope', 'cpu,nope'])
def test_a_missing_platform(platform: str) -> None:
    if platform == 'gpu' and (jax.local_devices()[0].platform == 'gpu' or importlib.util.find_spec('jax_plugins')):
        pytest.skip('JAX has this platform, or its plugin, which prints its own errors')
    program = (
        'from jax_resnet.commands import command_line\n'
        'from jax_resnet.platform.exactness import exact\n'
        'raise SystemExit(command_line.run(lambda: exact().__enter__()))'
    )
    environment = os.environ | {'JAX_PLATFORMS': platform}
    done = subprocess.run([sys.executable, '-c', program], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f'error: JAX_PLATFORMS={platform}: must name') and done.stderr.count('\n') == 1
