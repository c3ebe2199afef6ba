"""The imports of the package."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


ROOMS = {'models', 'config', 'data', 'hosts', 'platform', 'runs', 'training', 'studies', 'report'}

PACKAGES: dict[str, set[str]] = {
    'models': set(),
    'config': {'models'},
    'data': {'config'},
    'hosts': set(),
    'platform': {'models'},
    'runs': {'config'},
    'training': {'models', 'data', 'config', 'platform', 'hosts', 'runs'},
    'studies': {'models', 'data', 'config', 'runs'},
    'report': {'config', 'runs'},
    'inspections': ROOMS,
    'commands': {*ROOMS, 'inspections'},
}
"""The subpackages that each subpackage may import. `main.py` and `__main__.py` import commands."""

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


MOST_LINES, MOST_FILES, MOST_LINES_OF_TESTS = 15_396, 117, 12_716
"""What the package and its tests may have. Each step that makes them smaller lowers these numbers."""


def test_the_house_is_small() -> None:
    files, tests = list(MODULES.values()), (ROOT / 'tests').rglob('*.py')
    lines, lines_of_tests = (sum(len(path.read_text().splitlines()) for path in paths) for paths in (files, tests))
    assert lines <= MOST_LINES
    assert len(files) <= MOST_FILES
    assert lines_of_tests <= MOST_LINES_OF_TESTS


def test_modules_have_docstrings() -> None:
    for name, path in MODULES.items():
        assert ast.get_docstring(ast.parse(path.read_text())), name


def test_networks_do_not_depend_on_a_platform() -> None:
    for path in (ROOT / 'jax_resnet' / 'models').glob('*.py'):
        assert not re.search('cpu|gpu|xla|platform', path.read_text(), re.IGNORECASE), path
