"""Charts: one description of each, by Altair, that a page shows and that is drawn as PNG and SVG; no network needed."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from jax_resnet.errors import ConfigError

PALETTE = (
    '#4269a5', '#d1753a', '#4c956c', '#a44a5f', '#7a6bb0', '#8a7a3d', '#3d9aa8', '#b56a9c', '#6c7a89', '#2f4858',
    '#c9a227', '#7fb069', '#e07a5f', '#5b8e7d',
)  # fmt: skip
"""Colours of the rows, in order; calm, and told apart in print."""

FONT = 'system-ui, "Helvetica Neue", Helvetica, Arial, sans-serif'
GREY = '#667085'


def altair() -> ModuleType:
    """The library. Raises ConfigError, which names the extra, where it is not installed."""
    try:
        import altair
        import vl_convert  # noqa: F401  what draws PNG and SVG
    except ImportError:
        raise ConfigError("charts need altair and vl-convert-python: pip install 'jax_resnet[report]'") from None
    return altair


def styled(chart: Any, width: int = 640, height: int = 320) -> Any:
    """A chart, single or layered, in the style that all have."""
    axis = {
        'labelFont': FONT, 'titleFont': FONT, 'labelFontSize': 12, 'titleFontSize': 12, 'titleFontWeight': 'normal',
        'labelColor': GREY, 'titleColor': '#344054', 'domainColor': '#c4cad4', 'tickColor': '#c4cad4',
        'gridColor': '#eef0f4', 'labelOverlap': True, 'titlePadding': 8,
    }  # fmt: skip
    legend = {
        'labelFont': FONT, 'titleFont': FONT, 'labelFontSize': 12, 'titleFontSize': 12, 'titleFontWeight': 'normal',
        'labelColor': '#344054', 'labelLimit': 300, 'symbolStrokeWidth': 2.5, 'rowPadding': 4,
    }  # fmt: skip
    title = {'font': FONT, 'fontSize': 14, 'fontWeight': 600, 'anchor': 'start', 'color': '#1d2939', 'offset': 10}
    return (
        (chart if hasattr(chart, 'vconcat') else chart.properties(width=width, height=height))
        .properties(padding=8, background='white')
        .configure_axis(**axis)
        .configure_legend(**legend)
        .configure_title(**title)
        .configure_view(stroke=None)
    )


def styled_column(panels: Sequence[Any], width: int = 640, height: int = 200) -> Any:
    """Charts below each other, in the same style."""
    return styled(altair().vconcat(*(panel.properties(width=width, height=height) for panel in panels)))


def legend_columns(labels: Sequence[str], width: int) -> int:
    """As many columns of a legend as there is room for, a column as wide as its longest label."""
    return max(1, min(len(labels), (width - 60) // (7 * max(map(len, labels), default=0) + 44)))


def save(chart: Any, path: str | Path) -> None:
    """Writes a chart as its file's name says: .svg, .png (at twice the size) or .html (whole, with what draws it).

    Raises:
        ConfigError: another kind of file.
    """
    altair()
    import vl_convert

    path, spec = Path(path), chart.to_json(indent=None)
    version = _vl_version()
    if path.suffix == '.png':
        path.write_bytes(vl_convert.vegalite_to_png(spec, scale=2, vl_version=version))
    elif path.suffix == '.svg':
        path.write_text(vl_convert.vegalite_to_svg(spec, vl_version=version))
    elif path.suffix == '.html':
        page = f'<!doctype html><meta charset="utf-8"><title>{path.stem}</title>{scripts()}{embed(chart, "chart")}'
        path.write_text(page)
    else:
        raise ConfigError(f'{path}: a chart is written as .svg, .png or .html')


SHOW = """
function show(name, spec) {
  const element = document.getElementById(name);
  (function fit(part) {  // the legend's columns to the room there is, as legend_columns() does
    if (part === null || typeof part !== 'object') return;
    if (part.scale && part.scale.domain && part.legend && part.legend.columns) {
      const longest = Math.max(...part.scale.domain.map((label) => label.length));
      const room = Math.floor((element.clientWidth - 60) / (7 * longest + 44));
      part.legend.columns = Math.max(1, Math.min(part.scale.domain.length, room));
    }
    Object.values(part).forEach(fit);
  })(Object.fromEntries(Object.entries(spec).filter(([key]) => key !== 'datasets' && key !== 'data')));
  const actions = {export: true, source: false, compiled: false, editor: false};
  vegaEmbed(element, spec, {renderer: 'svg', actions}).catch(console.error);
}
"""
"""What shows a chart in an element of the page."""


def scripts() -> str:
    """The script element with Vega, Vega-Lite and Vega-Embed, which a page needs once."""
    import vl_convert

    bundle = vl_convert.javascript_bundle('window.vegaEmbed = vegaEmbed', vl_version=_vl_version())
    return '<script>' + bundle.replace('</script', '<\\/script') + SHOW + '</script>'


def embed(chart: Any, name: str) -> str:
    """The elements that show a chart in a page that has `scripts()`, as wide as there is room.

    Args:
        chart: to show.
        name: of the element, different for each chart of the page.
    """
    spec = json.loads(chart.to_json(indent=None))
    spec['width'] = 'container'
    spec['autosize'] = {'type': 'fit-x', 'contains': 'padding'}
    text = json.dumps(spec, separators=(',', ':')).replace('</', '<\\/')
    return f'<div id="{name}" class="chart" style="width: 100%"></div>\n<script>show("{name}", {text})</script>'


def _vl_version() -> str:
    major, minor, _ = altair().SCHEMA_VERSION.removeprefix('v').split('.')
    return f'{major}.{minor}'
