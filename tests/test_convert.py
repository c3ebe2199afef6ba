import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jax_resnet import models
from jax_resnet.errors import DataError
from jax_resnet.runs import weights

ROOT = Path(__file__).parents[1]


def run(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, '-m', 'jax_resnet.convert', *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def tensors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {'conv1.weight': (16, 3, 3, 3), 'bn1.weight': (16,), 'bn1.running_var': (16,), 'linear.weight': (10, 64)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def test_pytorch_to_ours_and_back(tmp_path: Path) -> None:
    weights.write(tmp_path / 'theirs.safetensors', tensors())
    done = run(tmp_path / 'theirs.safetensors', tmp_path / 'ours.npz')
    assert done.returncode == 0 and done.stdout.endswith('ours.npz: 4 arrays, 1,104 numbers\n'), done.stderr
    ours = weights.read(tmp_path / 'ours.npz')
    assert ours['params/stem/conv/kernel'].shape == (3, 3, 3, 16) and ours['params/head/kernel'].shape == (64, 10)
    assert run(tmp_path / 'ours.npz', tmp_path / 'back.safetensors', '--to=cifar').returncode == 0
    back = weights.read(tmp_path / 'back.safetensors')
    assert back.keys() == tensors().keys()
    for name, tensor in tensors().items():
        np.testing.assert_array_equal(back[name], tensor)
    np.testing.assert_array_equal(models.from_pytorch(back)['params']['stem']['norm']['scale'], tensors()['bn1.weight'])


class Harm:
    """Would run code, if anyone unpickled it."""

    def __reduce__(self) -> tuple:
        return (Path.touch, (Path('harmed'),))


def test_what_is_no_weights_file_is_one_line_and_runs_no_code(tmp_path: Path) -> None:
    (tmp_path / 'pickle.npz').write_bytes(pickle.dumps(Harm()))
    np.savez(tmp_path / 'object.npz', x=np.array([Harm()], dtype=object))
    (tmp_path / 'text.safetensors').write_text('no weights')
    weights.write(tmp_path / 'whole.safetensors', tensors())
    (tmp_path / 'half.safetensors').write_bytes((tmp_path / 'whole.safetensors').read_bytes()[:500])
    for name in ('pickle.npz', 'object.npz', 'text.safetensors', 'half.safetensors', 'none.npz'):
        with pytest.raises(DataError, match=f'{name}: cannot be read as weights'):
            weights.read(tmp_path / name)
    for name in ('weights.pth', 'weights'):
        with pytest.raises(DataError, match='must end in .safetensors or .npz'):
            weights.read(tmp_path / name)
    assert not Path('harmed').exists()
    weights.write(tmp_path / 'foreign.npz', {'encoder.weight': np.zeros(3)})
    done = run(tmp_path / 'foreign.npz', tmp_path / 'out.npz')
    assert done.returncode == 2 and 'foreign.npz: encoder.weight: no such tensor' in done.stderr
    assert len(done.stderr.splitlines()) == 1 and not (tmp_path / 'out.npz').exists()
