"""The imports of the package."""

import ast
import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]


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
