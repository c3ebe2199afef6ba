"""The wheel, its metadata, and the imports of the package."""

import ast
import email
import re
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def python(program: str, folder: Path = ROOT, *options: str) -> str:
    command = [sys.executable, *options, '-c', program]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope='module')
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that pip has built from a copy of the sources."""
    source, out = tmp_path_factory.mktemp('source'), tmp_path_factory.mktemp('wheel')
    for name in ('pyproject.toml', 'README.md', 'LICENSE', 'jax_resnet', 'configs', 'tests', 'main.py'):
        subprocess.run(['cp', '-r', str(ROOT / name), str(source)], check=True)
    command = [sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps', '--wheel-dir', str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(out.glob('*.whl'))


def test_the_wheel_has_only_the_package(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split('/')[0] for name in names if '.dist-info/' not in name} == {'jax_resnet'}
    assert 'jax_resnet/py.typed' in names and 'jax_resnet/models/resnet.py' in names
    assert 'jax_resnet/data/pictures/imagenet_classes.txt' in names
    templates = {path.name for path in (ROOT / 'jax_resnet' / 'report' / 'templates').iterdir()}
    assert 'page.html' in templates
    assert {name.split('/')[-1] for name in names if name.startswith('jax_resnet/report/templates/')} == templates
    assert any(name.endswith('licenses/LICENSE') for name in names)


def test_its_metadata_is_complete(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    name = next(name for name in archive.namelist() if name.endswith('METADATA'))
    metadata = email.message_from_bytes(archive.read(name))
    assert metadata['Name'] == 'jax_resnet' and metadata['License-Expression'] == 'Apache-2.0'
    assert metadata['Requires-Python'] == '>=3.11' and metadata['Summary'] and metadata.get_payload()
    extras = {'cuda', 'cuda13', 'test', 'bench', 'gpu-program', 'report', 'slurm', 'docs'}
    assert set(metadata.get_all('Provides-Extra')) == extras
    assert len(metadata.get_all('Project-URL')) >= 2
    assert not any('tensorflow' in line and 'datasets' not in line for line in metadata.get_all('Requires-Dist'))


def test_an_installed_wheel_can_be_imported(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / 'installed')
    program = (
        f'import sys; sys.path.insert(0, {str(tmp_path / "installed")!r})\n'
        'import jax, jax_resnet, jax_resnet.models as models\n'
        f'assert jax_resnet.__file__.startswith({str(tmp_path)!r})\n'
        'print(models.cifar_resnet(20).stage_sizes)\n'
    )
    assert python(program, tmp_path) == '(3, 3, 3)\n'


def test_importing_the_networks_imports_no_slow_package_and_changes_no_option() -> None:
    program = (
        'import os, sys, jax\n'
        'before = dict(os.environ), dict(jax.config.values)\n'
        'import jax_resnet, jax_resnet.models\n'
        'assert before == (dict(os.environ), dict(jax.config.values))\n'
        "slow = ('tensorflow', 'tensorflow_datasets', 'orbax', 'matplotlib', 'sklearn', 'clu', 'jax_resnet.training')\n"
        'print([name for name in slow if name in sys.modules])\n'
    )
    assert python(program) == '[]\n'


def test_training_needs_no_tensorflow() -> None:
    program = (
        "import sys; sys.modules['tensorflow'] = None\nimport jax_resnet.training, jax_resnet.evaluate\nprint('done')"
    )
    assert python(program) == 'done\n'


PACKAGES: dict[str, set[str]] = {
    'models': set(),
    'data': set(),
    'config': {'models', 'data'},
    'backend': {'models'},
    'runs': {'config'},
    'training': {'models', 'data', 'config', 'backend', 'runs'},
    'studies': {'models', 'data', 'config', 'backend', 'runs', 'training'},
    'report': {'config', 'runs'},
}
"""The subpackages that each subpackage may import. Modules outside them are commands, or are shared by all."""

MODULES = {
    '.'.join(path.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__'): path
    for path in sorted((ROOT / 'jax_resnet').rglob('*.py'))
}


def imports(path: Path, also_in_functions: bool) -> set[str]:
    """Returns the package's modules that a file imports, without those in `if TYPE_CHECKING`."""
    tree = ast.parse(path.read_text())
    nodes = ast.walk(tree) if also_in_functions else iter(tree.body)
    found = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith('jax_resnet'):
            found |= {f'{node.module}.{alias.name}' for alias in node.names} | {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & MODULES.keys()


def test_subpackages_import_in_one_direction() -> None:
    for name, path in MODULES.items():
        _, package, *_ = [*name.split('.'), '']
        if package in PACKAGES:
            others = {other.split('.')[1] for other in imports(path, also_in_functions=True) if other != 'jax_resnet'}
            assert others & PACKAGES.keys() <= PACKAGES[package] | {package}, f'{name} imports {others}'


def test_there_are_no_circular_imports() -> None:
    graph = {name: imports(path, also_in_functions=False) - {name} for name, path in MODULES.items()}
    for name in graph:  # a module may import its package, which Python imports first
        graph[name] -= {package for package in graph[name] if name.startswith(f'{package}.')}
    while graph:
        leaves = {name for name, others in graph.items() if not others & graph.keys()}
        assert leaves, f'circular imports among {sorted(graph)}'
        graph = {name: others for name, others in graph.items() if name not in leaves}


def test_modules_are_short_and_have_docstrings() -> None:
    for name, path in MODULES.items():
        assert len(path.read_text().splitlines()) <= 250, name
        assert ast.get_docstring(ast.parse(path.read_text())), name
    folders = Counter(path.parent for path in MODULES.values())
    assert max(folders.values()) <= 24 and folders[ROOT / 'jax_resnet' / 'training'] <= 16


def test_networks_do_not_depend_on_a_platform() -> None:
    for path in (ROOT / 'jax_resnet' / 'models').glob('*.py'):
        assert not re.search('cpu|gpu|xla|platform', path.read_text(), re.IGNORECASE), path
