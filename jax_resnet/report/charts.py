"""Charts, described with Altair. The same chart is shown in a page and drawn as PNG and SVG. No network is needed."""

import json
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from jax_resnet.errors import ConfigError
from jax_resnet.report import templating

PALETTE = (
    '#4269a5', '#d1753a', '#4c956c', '#a44a5f', '#7a6bb0', '#8a7a3d', '#3d9aa8', '#b56a9c', '#6c7a89', '#2f4858',
    '#c9a227', '#7fb069', '#e07a5f', '#5b8e7d', '#1f6f8b', '#8c4a1f', '#c77dba', '#5a3d7a', '#9aa63a', '#2f9e63',
    '#d4576b', '#7aa6d6', '#3f3f46', '#b08968',
)  # fmt: skip
"""The colours of the rows, in order. They are calm, and differ in print."""

FONT = 'system-ui, "Helvetica Neue", Helvetica, Arial, sans-serif'
GREY = '#667085'


def altair() -> ModuleType:
    """Returns the module altair. Raises ConfigError, which names the packages to install, if it is missing."""
    try:
        import altair
        import vl_convert  # noqa: F401  draws PNG and SVG
    except ImportError:
        raise ConfigError(
            'charts need altair and vl-convert-python: pip install altair jinja2 vl-convert-python'
        ) from None
    return altair


def styled(chart: Any, width: int = 640, height: int = 320) -> Any:
    """Gives a chart, single or layered, the style of all charts."""
    axis = {
        'labelFont': FONT, 'titleFont': FONT, 'labelFontSize': 12, 'titleFontSize': 12, 'titleFontWeight': 'normal',
        'labelColor': GREY, 'titleColor': '#344054', 'domainColor': '#c4cad4', 'tickColor': '#c4cad4',
        'gridColor': '#eef0f4', 'labelOverlap': True, 'titlePadding': 8,
    }  # fmt: skip
    legend = {
        'labelFont': FONT, 'titleFont': FONT, 'labelFontSize': 12, 'titleFontSize': 12, 'titleFontWeight': 'normal',
        'labelColor': '#344054', 'labelLimit': 0, 'symbolStrokeWidth': 2.5, 'rowPadding': 4,
    }  # fmt: skip
    title = {'font': FONT, 'fontSize': 14, 'fontWeight': 600, 'anchor': 'start', 'color': '#1d2939', 'offset': 10,
             'subtitleFont': FONT, 'subtitleFontSize': 12, 'subtitleColor': GREY, 'subtitlePadding': 4}  # fmt: skip
    return (
        (chart if hasattr(chart, 'vconcat') else chart.properties(width=width, height=height))
        .properties(padding=8, background='white')
        .configure_axis(**axis)
        .configure_legend(**legend)
        .configure_title(**title)
        .configure_view(stroke=None)
    )


def styled_column(panels: Sequence[Any], width: int = 640, height: int = 200) -> Any:
    """Puts charts below each other, in the style of all charts."""
    return styled(altair().vconcat(*(panel.properties(width=width, height=height) for panel in panels)))


def legend_columns(labels: Sequence[str], width: int) -> int:
    """Returns how many columns of a legend fit. Each column is as wide as the longest label."""
    return max(1, min(len(labels), (width - 60) // (7 * max(map(len, labels), default=0) + 44)))


def label_in_lines(width: int) -> str:
    """Returns the Vega expression that breaks a label of a legend into lines that fit, at spaces if possible."""
    most = (width - 60) // 7
    lines = f"regexp('(.{{1,{most}}})( |$)|(.{{{most}}})', 'g')"
    return rf"slice(split(replace(datum.label, {lines}, '$1$3\n'), '\n'), 0, -1)"


def colours(labels: Sequence[str]) -> Any:
    """Returns the colour encoding of the rows, with its legend below the chart."""
    alt = altair()
    palette = [PALETTE[i % len(PALETTE)] for i in range(len(labels))]
    legend = alt.Legend(
        title=None,
        orient='bottom',
        columns=legend_columns(labels, 640),
        labelExpr=label_in_lines(640),
        symbolType='stroke',
        symbolSize=300,
        symbolOpacity=1,
        offset=14,
    )
    return alt.Color('row:N', scale=alt.Scale(domain=list(labels), range=palette), sort=None, legend=legend)


def switch(field: str, names: Sequence[str]) -> tuple[Any, Any]:
    """Returns a parameter that a click in the legend toggles, at first on for all names; and the opacity it gives."""
    alt = altair()
    shown = alt.selection_point(
        name='shown', fields=[field], bind='legend', toggle='true', value=[{field: name} for name in names], empty=False
    )
    return shown, alt.condition(shown, alt.value(1), alt.value(0), empty=False)


def zoom() -> Any:
    """Returns a parameter with which a drag moves the chart, and Ctrl + wheel or a pinch zooms it."""
    wheel = 'wheel![event.ctrlKey || event.metaKey]'
    return altair().selection_interval(name='zoom', bind='scales', zoom=wheel)


def drawn(chart: Any, suffix: str) -> bytes:
    """Returns a chart as a file: 'svg', 'png' (at twice the size) or 'html' (with the drawing code)."""
    altair()
    import vl_convert

    spec, version = chart.to_json(indent=None), _vl_version()
    if suffix == 'png':
        return bytes(vl_convert.vegalite_to_png(spec, scale=2, vl_version=version))
    if suffix == 'svg':
        return str(vl_convert.vegalite_to_svg(spec, vl_version=version)).encode()
    values = embedded(chart, 'chart')
    return templating.html('single_chart.html', chart=values, library=templating.markup(library())).encode()


def library() -> str:
    """Returns Vega, Vega-Lite and Vega-Embed as one script. A page needs it once."""
    import vl_convert

    bundle: str = vl_convert.javascript_bundle('window.vegaEmbed = vegaEmbed', vl_version=_vl_version())
    return bundle.replace('</script', '<\\/script')


def embedded(chart: Any, name: str) -> dict[str, Any]:
    """Returns the values for the template `chart.html`. The page must have `library()`; the chart fills its width.

    Args:
        chart: the chart.
        name: the name of its HTML element, different for each chart of the page.

    Returns:
        `name`; `title` and `note`, which the page itself shows, so that it can break them into lines; and `spec`, for
        Vega-Embed.
    """
    spec = json.loads(chart.to_json(indent=None))
    spec['width'] = 'container'
    spec['autosize'] = {'type': 'fit-x', 'contains': 'padding'}
    title = spec.pop('title', '')
    about = title if isinstance(title, dict) else {'text': title}
    return {'name': name, 'title': about['text'], 'note': about.get('subtitle', ''), 'spec': spec}


def _vl_version() -> str:
    major, minor, _ = altair().SCHEMA_VERSION.removeprefix('v').split('.')
    return f'{major}.{minor}'
