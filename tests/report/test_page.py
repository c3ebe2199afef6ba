"""The command and its files."""

import csv
import json
import re
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

from jax_resnet.errors import ConfigError
from jax_resnet.report import columns, page, sections
from tests.report.conftest import ROOT, report, write_run


def test_the_pages_numbers_are_those_of_the_run_folders(report_page: Path) -> None:
    runs = report_page.parents[1] / 'runs'
    html = report_page.read_text()
    body = re.search(r'<table class="results cards">.*?<tbody>(.*?)</tbody>', html, re.DOTALL)
    assert body
    found = [
        [unescape(re.sub('<.*?>', '', cell)) for cell in re.findall(r'<td[^>]*><span>(.*?)</span></td>', row)]
        for row in re.findall('<tr[^>]*>(.*?)</tr>', body[1])
    ]
    for name, row in zip('ab', found, strict=True):
        summaries = [json.loads((runs / name / f'seed{i}' / 'summary.json').read_text()) for i in (0, 1)]
        mean = sum(summary['final_test_error'] for summary in summaries) / 2
        assert row[1].startswith(f'{mean:.2f} ± ')
    (section,) = sections.read([runs / 'studies'])
    assert found == [cells for _, cells in columns.table(section).rows]
    assert html.count('<tr class="best">') == 1 and '<b>Rate 0.1 has the smallest final test error' in html
    lines = list(csv.DictReader(report_page.with_suffix('.csv').read_text().splitlines()))
    assert [line['error'] for line in lines] == ['11.0', '21.0', ''] and lines[2]['seeds'] == '0 (failed)'
    markdown = re.sub(' +', ' ', report_page.with_suffix('.md').read_text())
    assert '| **rate 0.1** | **11.00 ± 1.41** | 9.00 | +2.00 | [0](' in markdown


def test_every_link_leads_to_a_run_folder_or_picture(report_page: Path) -> None:
    for text in (report_page.read_text(), report_page.with_suffix('.md').read_text()):
        links = re.findall(r'href="([^"#]+/)"', text) or re.findall(r'\]\(([^)]+)\)', text)
        assert len(links) >= 5
        for link in links:
            assert (report_page.parent / unquote(link)).exists(), link
    folders = next(csv.DictReader(report_page.with_suffix('.csv').read_text().splitlines()))['run folders'].split('; ')
    assert len(folders) == 2 and all((ROOT / folder / 'config.json').exists() for folder in folders)


def test_the_page_needs_no_network(report_page: Path) -> None:
    html = re.sub('<script>.*?</script>', '', report_page.read_text(), flags=re.DOTALL)
    assert not re.search(r'<(script|link|img)[^>]+(src|href)="(?!data:)', html)
    assert 'Which &lt;rate&gt; is better?' in html and '<rate>' not in html
    pictures = {path.name for path in (report_page.parent / 'report_pictures').iterdir()}
    assert {'rates_answer.png', 'rates_answer.svg', 'rates_errors.png', 'rates_learning_rates.svg'} < pictures
    assert (report_page.parent / 'report_pictures' / 'rates_answer.png').read_bytes().startswith(b'\x89PNG')


EVIL = '<img src=x onerror=alert(1)>'


def write(found: list[sections.Section], out: Path, notes: Path | None = None) -> tuple[str, str]:
    page.write(found, out, notes)
    return out.read_text(), out.with_suffix('.md').read_text()


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out what takes long: drawing, and the library of the page."""
    monkeypatch.setattr('jax_resnet.report.charts.drawn', lambda chart, suffix, about: suffix.encode())
    monkeypatch.setattr('jax_resnet.report.charts.library', str)


@pytest.mark.usefixtures('undrawn')
def test_whatever_a_run_says_is_escaped(study: Path, tmp_path: Path) -> None:
    (section,) = sections.read([study])
    rows = [replace(row, label=EVIL, runs=[replace(run, seed=EVIL) for run in row.runs]) for row in section.rows[:1]]
    section = replace(section, rows=rows, question=EVIL, about=EVIL, source=EVIL, notes=[EVIL])
    html, markdown = write([section], tmp_path / 'page.html')
    assert '<img src=x' not in html and html.count('&lt;img src=x') > 7 and '\\u003cimg src=x' in html
    assert '<img src=x' not in markdown and markdown.count('&lt;img src=x') > 5


@pytest.mark.usefixtures('undrawn')
def test_notes_stand_under_the_answer_of_their_study(study: Path, tmp_path: Path) -> None:
    write_run(study.parents[1] / 'only' / 'seed0', **{'model.depth': 14})
    notes = tmp_path / 'notes.md'
    notes.write_text(
        f'First.\n\n# rates\n\nIt is **clear**.\n{EVIL}\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n## runs\n\nLast.'
    )
    found = sections.read([study.parents[1]])
    html, markdown = write(found, tmp_path / 'page.html', notes)
    positions = [
        html.index(text)
        for text in ('<b>Rate 0.1', '<p>First.</p>', '<strong>clear</strong>', '<td>2</td>', '<p>Last.</p>')
    ]
    assert positions == sorted(positions) and EVIL not in html
    assert 'It is **clear**.' in markdown and 'Last.' in markdown
    assert report(study, f'--notes={notes}').err.startswith(f'error: --notes={notes}: must be given with --out')
    done = report(study, f'--notes={tmp_path}/none.md', f'--out={tmp_path}/page.html')
    assert (done.code, done.err) == (
        2,
        f'error: --notes={tmp_path}/none.md: cannot be read (No such file or directory)\n',
    )


def test_a_look_at_one_run(tmp_path: Path) -> None:
    folder = write_run(tmp_path / 'runs' / 'net' / 'seed0')
    (folder / 'responses.svg').write_text('<svg xmlns="http://www.w3.org/2000/svg"></svg>')
    done = report(folder)
    assert done.code == 0 and 'The final test error of net is 10.00 %.' in done.out and '75,002' in done.out
    out = tmp_path / 'run.html'
    assert report(folder, f'--out={out}').code == 0
    html = out.read_text()
    assert 'Confusion matrix' in html and 'cat, predicted dog' in html
    assert '<h3>responses</h3><img class="drawn" src="data:image/svg+xml;base64,' in html
    assert (tmp_path / 'run_pictures' / 'mistake01.png').exists()


@pytest.mark.usefixtures('undrawn')
def test_a_report_replaces_only_what_a_report_wrote(tmp_path: Path) -> None:
    folder, other = (write_run(tmp_path / 'runs' / 'net' / f'seed{seed}', seed) for seed in (0, 1))
    out, found = tmp_path / 'run.html', sections.read([folder])
    for path in (out.with_suffix('.md'), out):
        path.write_bytes(b'theirs')
        with pytest.raises(ConfigError, match=f'{path} was not written by a report; move it'):
            page.write(found, out)
        assert path.read_bytes() == b'theirs'
        path.unlink()
    page.write(found, out)
    mistake = tmp_path / 'run_pictures' / 'mistake01.png'
    own = mistake.with_name('own.png')
    own.write_bytes(b'theirs')
    assert mistake.exists() and (matrix := mistake.with_name('runs_confusion.png')).exists()
    (other / 'mistakes.npz').unlink()
    (other / 'predictions.npz').unlink()
    page.write(sections.read([other]), out)
    assert not mistake.exists() and not matrix.exists() and own.exists()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['none'], 'none: no such folder'),
        (['tests/report'], 'tests/report: has neither runs nor studies'),
        (['results', '--out=report.pdf'], '--out=report.pdf: must be the path of a page, such as report.html'),
    ],
)
def test_bad_input_is_one_line_and_exit_2(arguments: list[str], message: str) -> None:
    done = report(*arguments)
    assert done.code == 2 and done.err == f'error: {message}' + done.err[7 + len(message) :]
    assert done.err.count('\n') == 1


def test_without_the_packages_the_error_names_the_extra(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'altair', None)
    assert "pip install 'jax_resnet[report]'" in report(study, '--out=report.html').err
