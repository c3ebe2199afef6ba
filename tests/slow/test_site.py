"""The documentation site: it is built, all its links lead somewhere, and it has every public name with its docstring."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[2]


class Page(HTMLParser):
    """A page's text, the places of its ids in the text, its links, and what a browser loads to show it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = ''
        self.ids: dict[str, int] = {}
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        has = {name: value or '' for name, value in attributes}
        if 'id' in has:
            self.ids[has['id']] = len(self.text)
        if 'href' in has:
            (self.loaded if tag == 'link' else self.links).append(has['href'])
        if 'src' in has:
            self.loaded.append(has['src'])

    def handle_data(self, data: str) -> None:
        self.text += data

    def about(self, name: str) -> str:
        """Returns the text from a documented name to the next one."""
        following = [place for other, place in self.ids.items() if re.fullmatch(r'jax_resnet[\w.]*', other)]
        start = self.ids[name]
        return self.text[start : min((place for place in following if place > start), default=None)]


def words(text: str) -> str:
    """Returns the words of Markdown, or of the text that is made of it."""
    return ' '.join(re.findall(r'\w+', text))


def broken_links(site: Path, pages: dict[Path, Page]) -> Iterator[str]:
    for path, page in pages.items():
        for link in page.links + page.loaded:
            parts = urlsplit(link)
            if parts.scheme == 'data' or (parts.netloc and link in page.links):
                continue
            target = path
            if parts.path:
                target = (site / parts.path[1:] if link[0] == '/' else path.parent / unquote(parts.path)).resolve()
            if target.is_dir():
                target /= 'index.html'
            anchors = pages[target].ids if target in pages else {'': 0}
            if parts.scheme or not target.is_file() or (parts.fragment and unquote(parts.fragment) not in anchors):
                yield f'{path}: {link}'


def public_names(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, str | None]]:
    """Yields the public names that a module or class defines, with their docstrings."""
    for statement, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names = [statement.name]
            docstring = ast.get_docstring(statement)
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names = [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
            is_docstring = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            docstring = after.value.value if is_docstring else None
        else:
            continue
        for name in names:
            if not name.startswith('_'):
                yield f'{prefix}.{name}', docstring
                if isinstance(statement, ast.ClassDef):
                    yield from public_names(statement.body, f'{prefix}.{name}')


def missing_names(site: Path, pages: dict[Path, Page]) -> Iterator[str]:
    count = 0
    for path in sorted((ROOT / 'jax_resnet').rglob('*.py')):
        module = path.relative_to(ROOT).with_suffix('')
        is_package = path.name == '__init__.py'
        if path.stem.startswith('_') and not is_package:
            continue
        page = pages.get(site / (module.with_name('index.html') if is_package else module.with_suffix('.html')))
        if page is None:
            yield str(path)
            continue
        dotted = '.'.join((module.parent if is_package else module).parts)
        tree = ast.parse(path.read_text())
        for name, docstring in [(dotted, ast.get_docstring(tree)), *public_names(tree.body, dotted)]:
            count += 1
            owner = name.rpartition('.')[0]
            if name in page.ids:
                found = words((docstring or '').strip().partition('\n')[0]) in words(page.about(name))
            else:  # a field without a docstring of its own
                found = not docstring and owner in page.ids and name.split('.')[-1] in page.about(owner)
            if not found:
                yield name
    assert count > 500


def test_the_site_is_whole(tmp_path: Path) -> None:
    site = tmp_path.resolve() / 'site'
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--quiet', f'--site-dir={site}']
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    pages = {path: Page(path) for path in site.rglob('*.html')}
    for text in [*ROOT.glob('docs/*.md'), *ROOT.glob('docs/*.ipynb'), ROOT / 'CHANGELOG.md', ROOT / 'index.md']:
        assert site / text.relative_to(ROOT).with_suffix('.html') in pages, text
    assert not list(broken_links(site, pages))
    assert not list(missing_names(site, pages))
