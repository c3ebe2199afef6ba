"""One description of a chart: a page, a picture, a drawing; and what is said without the library."""

import sys

import pytest

from jax_resnet.errors import ConfigError
from jax_resnet.report import charts


def test_a_chart_is_drawn_as_each_kind_of_file() -> None:
    alt = pytest.importorskip('altair')
    chart = charts.styled(alt.Chart(alt.Data(values=[{'x': 1, 'y': 2}])).mark_point().encode(x='x:Q', y='y:Q'), 100, 80)
    png, svg, page = (charts.drawn(chart, suffix) for suffix in ('png', 'svg', 'html'))
    assert png.startswith(b'\x89PNG') and b'<svg' in svg
    assert b'src="http' not in page and b'href="http' not in page and len(page) > 500_000


def test_without_the_library_the_error_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'altair', None)
    with pytest.raises(ConfigError, match=r'pip install altair jinja2 vl-convert-python'):
        charts.altair()


def test_a_legend_has_as_many_columns_as_there_is_room_for() -> None:
    assert charts.legend_columns(['a', 'b'], 640) == 2
    assert charts.legend_columns(['a name of thirty-two characters,'] * 5, 640) == 2
    assert charts.legend_columns(['a' * 100], 300) == 1
