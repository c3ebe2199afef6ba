"""The documentation site: it is built, all its links lead somewhere, and it has a page of each module."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[2]


class Page(HTMLParser):
    """A page's ids, its links, and what a browser loads to show it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        has = {name: value or '' for name, value in attributes}
        if 'id' in has:
            self.ids.add(has['id'])
        if 'href' in has:
            (self.loaded if tag == 'link' else self.links).append(has['href'])
        if 'src' in has:
            self.loaded.append(has['src'])


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
            anchors = pages[target].ids if target in pages else set()
            if parts.scheme or not target.is_file() or (parts.fragment and unquote(parts.fragment) not in anchors):
                yield f'{path}: {link}'


def dotted(module: Path) -> str:
    """Returns the name by which a module is imported."""
    return '.'.join(module.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__')


def test_the_site_is_whole(tmp_path: Path) -> None:
    site = tmp_path.resolve() / 'site'
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--quiet', f'--site-dir={site}']
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    pages = {path: Page(path) for path in site.rglob('*.html')}
    for text in [*ROOT.glob('docs/*.md'), *ROOT.glob('docs/*.ipynb'), ROOT / 'CHANGELOG.md', ROOT / 'index.md']:
        assert site / text.relative_to(ROOT).with_suffix('.html') in pages, text
    for module in (ROOT / 'jax_resnet').rglob('*.py'):
        page = module.with_name('index.html') if module.stem == '__init__' else module.with_suffix('.html')
        if module.stem == '__init__' or not module.stem.startswith('_'):
            page = pages[site / page.relative_to(ROOT)]
            names = [statement.name for statement in ast.parse(module.read_text()).body if hasattr(statement, 'name')]
            assert {f'{dotted(module)}.{name}' for name in names if not name.startswith('_')} <= page.ids
    assert not list(broken_links(site, pages))
