"""The documentation site: it is built, all its links lead somewhere, and it has a page of each module."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.slow.processes import ROOT, printed


def broken_links(site: Path, pages: dict[Path, str]) -> Iterator[str]:
    """Links of a page that lead nowhere, and what a browser would load from another host to show it."""
    for path, text in pages.items():
        for tag, link in re.findall(r'<(\w+)(?=\s)[^>]*?\s(?:href|src)="?([^"\s>]*)', text):
            parts = urlsplit(unescape(link))
            if parts.scheme == 'data' or (parts.netloc and tag == 'a'):
                continue
            target = path
            if parts.path:
                target = (site / parts.path[1:] if link[0] == '/' else path.parent / unquote(parts.path)).resolve()
            if target.is_dir():
                target /= 'index.html'
            known = not parts.fragment or unquote(parts.fragment) in ids(pages.get(target, ''))
            if parts.scheme or not target.is_file() or not known:
                yield f'{path}: {link}'


@cache
def ids(text: str) -> set[str]:
    return {unescape(found) for found in re.findall(r'\sid="?([^"\s>]*)', text)}


def dotted(module: Path) -> str:
    """Returns the name by which a module is imported."""
    return '.'.join(module.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__')


def test_the_site_is_whole(tmp_path: Path) -> None:
    site = tmp_path.resolve() / 'site'
    printed('-m', 'mkdocs', 'build', '--strict', '--quiet', f'--site-dir={site}')
    script = re.compile(r'(<script[^>]*>).*?</script>', re.DOTALL)
    pages = {path: script.sub(r'\1', path.read_text()) for path in site.rglob('*.html')}
    for text in [*ROOT.glob('docs/*.md'), *ROOT.glob('docs/*.ipynb'), ROOT / 'CHANGELOG.md', ROOT / 'index.md']:
        assert site / text.relative_to(ROOT).with_suffix('.html') in pages, text
    for module in (ROOT / 'jax_resnet').rglob('*.py'):
        page = module.with_name('index.html') if module.stem == '__init__' else module.with_suffix('.html')
        if module.stem == '__init__' or not module.stem.startswith('_'):
            page = pages[site / page.relative_to(ROOT)]
            names = [statement.name for statement in ast.parse(module.read_text()).body if hasattr(statement, 'name')]
            assert {f'{dotted(module)}.{name}' for name in names if not name.startswith('_')} <= ids(page)
    assert not list(broken_links(site, pages))
