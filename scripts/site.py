"""MkDocs' hook: makes the pages of the documentation site from the files of the repository.

A page has the path of the file that it shows. So a relative link leads to the same place in the repository and on the
site. The site has the pages that `nav` in mkdocs.yml names, and all that they link to:

- a folder is shown by its README or a list of its files; a package, by its docstring and lists of its names and modules;
- a module of the package is shown by its docstrings, any other Python file by its source;
- a notebook is shown by its cells and their stored outputs;
- any other file is copied.
"""

import ast
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / 'jax_resnet'
LINK = re.compile(r'(?<=\]\()[^()\s#]+')
SHARED_LINE = re.compile(r'^    (\*{0,2}\w+(?:, \*{0,2}\w+)+)(: .+(?:\n {8}.+)*)', re.MULTILINE)


class SharedLines(griffe.Extension):
    """Griffe's extension: of a docstring's line on several arguments or attributes, makes a line on each."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = SHARED_LINE.sub(
                lambda line: '\n'.join(f'    {name}{line[2]}' for name in line[1].split(', ')), obj.docstring.value
            )


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Returns the theme's files, the pages that `nav` names, and all files that a page links to."""
    chosen = Files([file for file in files if file.src_dir != config.docs_dir])
    waiting = [ROOT / 'docs' / 'site.css', *_leaves(config.nav)]
    config.nav = _pages(config.nav)
    package = griffe.load(PACKAGE.name, search_paths=[ROOT])
    while waiting:
        path = waiting.pop()
        uri = _uri(path)
        if chosen.get_file_from_path(uri):
            continue
        if uri.endswith('.md'):
            content, targets = _with_links_to_pages(_markdown(path, package), (ROOT / uri).parent)
            waiting += targets
            chosen.append(File.generated(config, uri, content=content))
        else:
            chosen.append(File.generated(config, uri, abs_src_path=str(path)))
    return chosen


def _leaves(nav: Any) -> Iterator[Path]:
    """Yields the paths in `nav`."""
    if isinstance(nav, str):
        yield ROOT / nav
    else:
        for entry in nav.values() if isinstance(nav, dict) else nav:
            yield from _leaves(entry)


def _pages(nav: Any) -> Any:
    """Returns `nav` with the pages of its paths. In place of the package, it has all modules."""
    if isinstance(nav, dict):
        return {title: _pages(entry) for title, entry in nav.items()}
    if isinstance(nav, list):
        return [_pages(entry) for entry in nav]
    return _tree(PACKAGE) if ROOT / nav == PACKAGE else _uri(ROOT / nav)


def _tree(folder: Path) -> list[Any]:
    """Returns the part of `nav` for a package: its own page, its packages and its modules."""
    packages, modules = _members(folder)
    return [
        _uri(folder),
        *({path.name: _tree(path)} for path in packages),
        *({path.stem: _uri(path)} for path in modules),
    ]


def _members(folder: Path) -> tuple[list[Path], list[Path]]:
    """Returns the packages and the modules in a package's folder, without private ones."""
    paths = [path for path in sorted(folder.iterdir()) if not path.name.startswith(('_', '.'))]
    return [path for path in paths if (path / '__init__.py').is_file()], [path for path in paths if path.suffix == '.py']


def _uri(path: Path) -> str:
    """Returns where the site has a file or folder of the repository."""
    if path.is_dir():
        path = path / ('README.md' if (path / 'README.md').is_file() else 'index.md')
    elif path.suffix in ('.py', '.ipynb'):
        path = path.with_suffix('.md')
    return path.relative_to(ROOT).as_posix()


def _with_links_to_pages(content: str, folder: Path) -> tuple[str, list[Path]]:
    """Returns Markdown whose links to files lead to their pages, and these files.

    Args:
        content: Markdown with links to files of the repository.
        folder: where the page is.
    """
    targets = []

    def to_page(link: re.Match[str]) -> str:
        path = Path(os.path.normpath(folder / unquote(link[0])))
        if not path.is_relative_to(ROOT) or not path.exists():
            return link[0]
        targets.append(path)
        return quote(os.path.relpath(ROOT / _uri(path), folder), safe='/=,:')

    return LINK.sub(to_page, content), targets


def _markdown(path: Path, package: griffe.Module) -> str:
    """Returns the Markdown of the page of a file or folder."""
    name = path.relative_to(ROOT).as_posix()
    if path.suffix == '.md' or (path / 'README.md').is_file():
        return (ROOT / _uri(path)).read_text()
    if path.suffix == '.ipynb':
        return '\n\n'.join(_cells(json.loads(path.read_text())))
    if path.is_relative_to(PACKAGE):
        dotted = name.removesuffix('.py').replace('/', '.')
        return f'::: {dotted}\n' if path.is_file() else _of_package(dotted, path, package)
    if path.is_dir():
        return _of_folder(name, path)
    return f'# {name}\n\n```python\n{path.read_text()}```\n'


def _of_folder(name: str, folder: Path) -> str:
    """Returns a list of a folder's files; of Python files, with the first line of the docstring."""
    lines = [f'# {name}\n']
    for path in sorted(folder.rglob('*')):
        inner = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(('.', '__')) for part in inner.parts):
            says = ast.get_docstring(ast.parse(path.read_text())) if path.suffix == '.py' else None
            lines.append(f'- [{inner}]({inner})' + (f': {says.splitlines()[0]}' if says else ''))
    return '\n'.join(lines)


def _of_package(dotted: str, folder: Path, package: griffe.Module) -> str:
    """Returns a package's docstring and own names, the names that it exports, and its packages and modules."""
    module = package[dotted.partition('.')[2]] if '.' in dotted else package
    own = [member.name for member in module.members.values() if not member.is_alias and not member.is_module]
    parts = [f'::: {dotted}\n    options:\n      members: {json.dumps(own)}']
    for room in [module] if '.' in dotted else [module[path.name] for path in _members(folder)[0]]:
        if room.exports:
            names = [room[name].final_target for name in room.exports]
            parts.append(f'## Import from {room.path}\n\n' + _table(names, folder))
    for title, paths in zip(('Packages', 'Modules'), _members(folder), strict=True):
        if paths:
            parts.append(f'## {title}\n\n' + _table([module[path.stem] for path in paths], folder))
    return '\n\n'.join(parts)


def _table(objects: list[griffe.Object], folder: Path) -> str:
    """Returns a table of links to objects, with the first lines of their docstrings, for the page of a folder."""
    lines = ['| name | what it is |', '|---|---|']
    for item in objects:
        path = item.filepath.parent if item.filepath.name == '__init__.py' else item.filepath
        target = os.path.relpath(path, folder) + ('' if item.is_module else f'#{item.path}')
        says = item.docstring.value.splitlines()[0] if item.docstring else ''
        lines.append(f'| [`{item.name}`]({target}) | {says} |')
    return '\n'.join(lines)


def _cells(notebook: dict[str, Any]) -> Iterator[str]:
    """Yields the cells of a notebook and their outputs, as Markdown."""
    for cell in notebook['cells']:
        source = ''.join(cell['source'])
        yield source if cell['cell_type'] == 'markdown' else f'```python\n{source}\n```'
        for output in cell.get('outputs', []):
            data = {kind: ''.join(lines) for kind, lines in output.get('data', {}).items()}
            if 'image/png' in data:
                yield f'![output](data:image/png;base64,{data["image/png"].strip()})'
            elif 'text/markdown' in data:
                yield data['text/markdown']
            else:
                yield f'```text\n{data.get("text/plain") or "".join(output.get("text", ""))}\n```'
