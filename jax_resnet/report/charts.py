"""The style of all charts, which Altair describes: a chart is shown in a page, and drawn as PNG and SVG, offline."""

import json
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from jax_resnet.errors import ConfigError

PALETTE = (
    '#4c78b8', '#d1753a', '#4c9a70', '#b5566d', '#8273bf', '#a08c42', '#3d9aa8', '#bd70a4', '#7b8a9c', '#c9a227',
    '#7fb069', '#e07a5f', '#2f8f9d', '#9c5a2f', '#9aa63a', '#7aa6d6',
)  # fmt: skip
"""The colours of the rows, in order. They are calm, differ in print, and can be read on white and on black."""

SHADES = ['#f5f8fc', PALETTE[0]]
"""The colours of a map, from small to large numbers."""

FONT = 'system-ui, "Helvetica Neue", Helvetica, Arial, sans-serif'
INK, GREY, LINE = '#344054', '#667085', '#e4e7ec'

WIDTH = 640

_LABELS = {'labelFont': FONT, 'titleFont': FONT, 'labelFontSize': 12, 'titleFontSize': 12, 'titleFontWeight': 'normal'}


def altair() -> ModuleType:
    """Returns the module altair. Raises ConfigError, which names the packages to install, if one is missing."""
    try:
        import altair
        import jinja2  # noqa: F401  fills the page
        import markdown_it  # noqa: F401  reads the notes
        import vl_convert  # noqa: F401  draws PNG and SVG
    except ImportError:
        raise ConfigError("reports need the extra 'report': pip install 'jax_resnet[report]'") from None
    return altair


def titled(chart: Any, title: str, height: int, note: str = '', width: int = WIDTH) -> Any:
    """Gives a chart a size, a title, perhaps a note below it, and the style of all charts."""
    about = {'text': title, **({'subtitle': note} if note else {})}
    return styled(chart.properties(width=width, height=height, title=about))


def styled(chart: Any) -> Any:
    """Gives a chart the style of all charts."""
    return (
        chart.properties(padding=8, background='white')
        .configure_axis(
            **_LABELS, labelColor=GREY, titleColor=INK, domainColor=LINE, tickColor=LINE, gridColor=LINE,
            labelOverlap=True, titlePadding=8,
        )
        .configure_legend(**_LABELS, labelColor=INK, labelLimit=0, symbolStrokeWidth=2.5, rowPadding=4)
        .configure_title(
            font=FONT, fontSize=14, fontWeight=600, anchor='start', color=INK, offset=10, subtitleFont=FONT,
            subtitleFontSize=12, subtitleColor=GREY, subtitlePadding=4,
        )
        .configure_view(stroke=None)
    )  # fmt: skip


def colours(field: str, names: Sequence[str]) -> Any:
    """Returns the colour encoding of named rows. Its legend is below the chart, in as many columns as fit."""
    alt = altair()
    letters = max(map(len, names), default=0)
    legend = alt.Legend(
        title=None, orient='bottom', columns=max(1, min(len(names), (WIDTH - 60) // (7 * letters + 44))),
        labelExpr=label_lines(WIDTH), symbolType='stroke', symbolSize=300, symbolOpacity=1, offset=14,
    )  # fmt: skip
    scale = alt.Scale(domain=list(names), range=[PALETTE[i % len(PALETTE)] for i in range(len(names))])
    return alt.Color(f'{field}:N', scale=scale, sort=None, legend=legend if len(names) > 1 else None)


def label_lines(width: int) -> str:
    """Returns the Vega expression that breaks a label of a legend into lines that fit, at spaces if possible."""
    most = (width - 60) // 7
    lines = f"regexp('(.{{1,{most}}})( |$)|(.{{{most}}})', 'g')"
    return rf"slice(split(replace(datum.label, {lines}, '$1$3\n'), '\n'), 0, -1)"


def drawn(chart: Any, suffix: str, about: str = '') -> bytes:
    """Returns a chart as 'svg', or as 'png' at twice the size. `about` is a line below its title."""
    import vl_convert

    spec, version = json.loads(chart.to_json(indent=None)), _version()
    if 'layer' in spec:  # a file needs no invisible marks with tooltips
        spec['layer'] = [layer for layer in spec['layer'] if layer['mark'].get('opacity') != 0]
    if about:
        spec['title']['subtitle'] = [*filter(None, [about, spec['title'].get('subtitle')])]
    if suffix == 'png':
        return bytes(vl_convert.vegalite_to_png(spec, scale=2, vl_version=version))
    return str(vl_convert.vegalite_to_svg(spec, vl_version=version)).encode()


def library() -> str:
    """Returns Vega, Vega-Lite and Vega-Embed as one script. A page needs it once."""
    import vl_convert

    bundle: str = vl_convert.javascript_bundle('window.vegaEmbed = vegaEmbed', vl_version=_version())
    return bundle.replace('</script', '<\\/script')


def embedded(chart: Any) -> dict[str, Any]:
    """Returns a chart for the page, which shows the title and note itself: `title`, `note`, and `spec` for Vega."""
    spec = json.loads(chart.to_json(indent=None))
    about = spec.pop('title')
    spec |= {'width': 'container', 'autosize': {'type': 'fit-x', 'contains': 'padding'}, 'background': None}
    return {'title': about['text'], 'note': about.get('subtitle', ''), 'spec': spec}


def _version() -> str:
    major, minor, _ = altair().SCHEMA_VERSION.removeprefix('v').split('.')
    return f'{major}.{minor}'
