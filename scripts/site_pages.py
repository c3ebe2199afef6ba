"""MkDocs' hook: makes the pages of the documentation site from the files of the repository.

A page has the path of the file that it shows. So a relative link leads to the same place in the repository and on the
site. The site has the pages that `nav` in mkdocs.yml names, and all that they link to:

- A folder is shown by its README or a list of its files; a package, by its docstring and tables of names and modules.
- A module of the package is shown by its docstrings, any other Python file by its source.
- A notebook is shown by its cells and their stored outputs.
- Any other file is copied. A report's links are followed too.
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
LINK = re.compile(r'(?<=\]\()(?!\w+:)[^()\s#]+')
LINK_OF_A_REPORT = re.compile(r'(?<=href=")(?!\w+:)[^"#]+')


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Returns the theme's files, the pages that `nav` names, and all files that a page links to."""
    site = Files([file for file in files if file.src_dir != config.docs_dir])
    waiting = [ROOT / 'docs' / 'site.css']
    config.nav = _with_pages(config.nav, waiting)
    package = griffe.load(PACKAGE.name, search_paths=[ROOT])
    while waiting:
        path = waiting.pop()
        uri = _uri(path)
        if site.get_file_from_path(uri):
            continue
        if uri.endswith('.md'):
            content, linked = _with_links_to_pages(_markdown(path, package), (ROOT / uri).parent)
            waiting += linked
            site.append(File.generated(config, uri, content=content))
        else:
            site.append(File.generated(config, uri, abs_src_path=str(path)))
            if path.suffix == '.html':  # a report links to the folders of its runs
                waiting += [path.parent / unquote(link) for link in LINK_OF_A_REPORT.findall(path.read_text())]
    return site


def _with_pages(nav: Any, found: list[Path]) -> Any:
    """Returns `nav` with the pages of its paths, and all modules in place of the package. Adds the paths to `found`."""
    if isinstance(nav, dict):
        return {title: _with_pages(entry, found) for title, entry in nav.items()}
    if isinstance(nav, list):
        return [_with_pages(entry, found) for entry in nav]
    found.append(ROOT / nav)
    return _tree(PACKAGE) if ROOT / nav == PACKAGE else _uri(ROOT / nav)


def _tree(folder: Path) -> list[Any]:
    """Returns the part of `nav` for a package: its own page, its packages and its modules."""
    packages, modules = _members(folder)
    trees = [{path.name: _tree(path)} for path in packages]
    return [_uri(folder), *trees, *({path.stem: _uri(path)} for path in modules)]


def _members(folder: Path) -> tuple[list[Path], list[Path]]:
    """Returns the packages and the modules in a package's folder, without private ones."""
    paths = [path for path in sorted(folder.iterdir()) if not path.name.startswith(('_', '.'))]
    return [path for path in paths if (path / '__init__.py').is_file()], [
        path for path in paths if path.suffix == '.py'
    ]


def _uri(path: Path) -> str:
    """Returns where the site has a file or folder of the repository."""
    if path.is_dir():
        path = path / ('README.md' if (path / 'README.md').is_file() else 'index.md')
    elif path.suffix in ('.py', '.ipynb'):
        path = path.with_suffix('.md')
    return path.relative_to(ROOT).as_posix()


def _with_links_to_pages(content: str, folder: Path) -> tuple[str, list[Path]]:
    """Returns the content of a page in a folder with links to pages instead of files, and the files."""
    linked = []

    def to_page(link: re.Match[str]) -> str:
        path = Path(os.path.normpath(folder / unquote(link[0])))
        if not path.is_relative_to(ROOT) or not path.exists():
            return link[0]
        linked.append(path)
        return quote(os.path.relpath(ROOT / _uri(path), folder))

    return LINK.sub(to_page, content), linked


def _markdown(path: Path, package: griffe.Module) -> str:
    """Returns the content of the page of a file or folder."""
    name = path.relative_to(ROOT).as_posix()
    if path.suffix == '.md' or (path / 'README.md').is_file():
        return (ROOT / _uri(path)).read_text()
    if path.suffix == '.ipynb':
        return '\n\n'.join(_cells(json.loads(path.read_text())))
    if path.is_relative_to(PACKAGE) and path.suffix == '.py':
        return f'::: {name.removesuffix(".py").replace("/", ".")}\n'
    if (path / '__init__.py').is_file():
        return _package_page(package.modules_collection[name.replace('/', '.')], path)
    if path.is_dir():
        return _folder_page(name, path)
    return f'# {name}\n\n```python\n{path.read_text()}```\n'


def _folder_page(name: str, folder: Path) -> str:
    """Returns a list of the files in a folder, with the first line of the docstrings of Python files."""
    lines = [f'# {name}\n']
    for path in sorted(folder.rglob('*')):
        inner = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(('.', '__')) for part in inner.parts):
            text = ast.get_docstring(ast.parse(path.read_text())) if path.suffix == '.py' else None
            lines.append(f'- [{inner}]({quote(inner.as_posix())})' + (f': {text.splitlines()[0]}' if text else ''))
    return '\n'.join(lines)


def _package_page(module: griffe.Module, folder: Path) -> str:
    """Returns a package's docstring and own names, and tables of what it exports, of its packages and its modules."""
    public = [member for member in module.members.values() if member.is_public]
    own = [member.name for member in public if not (member.is_alias or member.is_module)]
    parts = [f'::: {module.path}\n    options:\n      members: {json.dumps(own)}']
    packages, modules = ([module[path.stem] for path in paths] for paths in _members(folder))
    for exporting in [module, *packages] if folder == PACKAGE else [module]:
        if exporting.exports:
            found = [exporting[name] for name in exporting.exports]
            # Griffe takes a function that has the name of its module, such as `training.train`, for the module.
            names = [one[one.name] if one.is_module and not one.is_alias else one.final_target for one in found]
            parts.append(f'## Import from {exporting.path}\n\n' + _table(names, folder))
    for title, members in ('Packages', packages), ('Modules', modules):
        if members:
            parts.append(f'## {title}\n\n' + _table(members, folder))
    return '\n\n'.join(parts)


def _table(objects: list[griffe.Object], folder: Path) -> str:
    """Returns a table of objects, with links for the page of a folder and the docstrings' first paragraphs."""
    lines = ['| name | what it is |', '|---|---|']
    for item in objects:
        path = item.filepath.parent if item.filepath.name == '__init__.py' else item.filepath
        link = os.path.relpath(path, folder) + ('' if item.is_module else f'#{item.path}')
        text = ' '.join(item.docstring.value.partition('\n\n')[0].split()) if item.docstring else ''
        lines.append(f'| [`{item.name}`]({link}) | {text} |')
    return '\n'.join(lines)


def _cells(notebook: dict[str, Any]) -> Iterator[str]:
    """Yields the cells of a notebook and their outputs, as Markdown."""
    for cell in notebook['cells']:
        source = ''.join(cell['source'])
        yield f'```python\n{source}\n```' if cell['cell_type'] == 'code' else source
        for output in cell.get('outputs', []):
            data = {mime: ''.join(lines) for mime, lines in output.get('data', {}).items()}
            if 'image/png' in data:
                yield f'![Output of the cell above](data:image/png;base64,{"".join(data["image/png"].split())})'
            elif 'text/html' in data or 'text/markdown' in data:
                yield data.get('text/html') or data['text/markdown']
            else:
                yield f'```text\n{data.get("text/plain") or "".join(output.get("text", ""))}\n```'
