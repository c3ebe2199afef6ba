"""Fills the templates of pages, in HTML and in Markdown. All values are escaped, except those made by `markup`."""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jax_resnet.errors import ConfigError
from jax_resnet.report.table import escaped


def html(name: str, **values: Any) -> str:
    """Fills a template of HTML. Raises ConfigError, which names the packages to install, if Jinja is missing."""
    environment = _environment(autoescape=True)
    environment.policies['json.dumps_kwargs'] = {'separators': (',', ':')}
    text: str = environment.get_template(name).render(values)
    return text


def markdown(name: str, **values: Any) -> str:
    """Fills a template of Markdown, with one empty line between its blocks. Raises ConfigError, like `html`."""
    environment = _environment(finalize=lambda value: value if _is_markup(value) else escaped(str(value)))
    return re.sub(r'\n{3,}', '\n\n', environment.get_template(name).render(values)).strip()


def markup(text: str) -> Any:
    """Marks a text as HTML or Markdown, so that it is not escaped."""
    from markupsafe import Markup

    return Markup(text)


def address(path: Path, folder: Path) -> str:
    """Returns the relative address of a file for a page in `folder`, quoted so that HTML and Markdown can hold it."""
    return quote(Path(os.path.relpath(path, folder)).as_posix(), safe='/=,')


def _is_markup(value: Any) -> bool:
    return hasattr(value, '__html__')


def _environment(**options: Any) -> Any:
    try:
        import jinja2
    except ImportError:
        raise ConfigError('pages need jinja2: pip install altair jinja2 vl-convert-python') from None
    return jinja2.Environment(
        loader=jinja2.PackageLoader('jax_resnet.report'),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **options,
    )
