"""The wheel and its metadata."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.slow.processes import ROOT, printed


@pytest.fixture(scope='module')
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that pip has built from a copy of the sources."""
    source, out = tmp_path_factory.mktemp('source'), tmp_path_factory.mktemp('wheel')
    for name in ('pyproject.toml', 'README.md', 'LICENSE', 'jax_resnet', 'configs', 'tests', 'main.py'):
        subprocess.run(['cp', '-r', str(ROOT / name), str(source)], check=True)
    printed('-m', 'pip', 'wheel', '--quiet', '--no-deps', '--wheel-dir', out, source)
    return next(out.glob('*.whl'))


def test_the_wheel_has_only_the_package(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split('/')[0] for name in names if '.dist-info/' not in name} == {'jax_resnet'}
    assert 'jax_resnet/py.typed' in names and 'jax_resnet/models/resnet.py' in names
    data = ('digits.npz', 'pictures/imagenet_classes.txt', 'pictures/imagenet_validation.npz')
    assert {f'jax_resnet/data/{name}' for name in data} <= {*names}
    configs = {f'jax_resnet/{path.relative_to(ROOT)}' for path in (ROOT / 'configs').rglob('*.py')}
    assert configs == {name for name in names if name.startswith('jax_resnet/configs/') and name.endswith('.py')}
    templates = {path.name for path in (ROOT / 'jax_resnet' / 'report' / 'templates').iterdir()}
    assert 'page.html' in templates
    assert {name.split('/')[-1] for name in names if name.startswith('jax_resnet/report/templates/')} == templates
    assert any(name.endswith('licenses/LICENSE') for name in names)


def test_an_installed_wheel_can_be_imported(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / 'installed')
    program = (
        f'import sys; sys.path.insert(0, {str(tmp_path / "installed")!r})\n'
        'import jax, jax_resnet, jax_resnet.models as models\n'
        f'assert jax_resnet.__file__.startswith({str(tmp_path)!r})\n'
        'print(models.cifar_resnet(20).stage_sizes)\n'
        'from jax_resnet.config.loading import load\n'
        "print(load('lab_cifar10:resnet56', {})[0].model.depth)\n"
    )
    assert printed('-c', program, cwd=tmp_path) == '(3, 3, 3)\n56\n'
    program += 'from jax_resnet.commands.command_line import main; main(["train", "--config=configs/"])'
    listed = printed('-c', program, cwd=tmp_path)
    assert 'configs/resnet20_digits.py: ' in listed and 'configs/base' not in listed
