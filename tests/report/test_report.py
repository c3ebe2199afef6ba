"""The command and its files."""

import csv
import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

from jax_resnet.errors import ConfigError
from jax_resnet.report import columns, files, pictures, reading
from jax_resnet.report import page as page_of
from tests.report.conftest import report, write_run

ROOT = Path(__file__).parents[2]


def squeezed(text: str) -> str:
    """Without the spaces that align a table of Markdown."""
    return re.sub(' +', ' ', text)


def cells(html: str) -> list[list[str]]:
    """The texts of the first table."""
    body = re.search(r'<table class="results">.*?<tbody>(.*?)</tbody>', html, re.DOTALL)
    assert body
    return [
        [unescape(re.sub('<br>.*', '', cell)) for cell in re.findall(r'<td[^>]*><span>(.*?)</span></td>', row)]
        for row in re.findall('<tr>(.*?)</tr>', body[1])
    ]


def test_the_pages_numbers_are_those_of_the_run_folders(page: Path) -> None:
    runs = page.parents[1] / 'runs'
    html = page.read_text()
    found = cells(html)
    summaries = {
        name: [json.loads((runs / name / f'seed{i}' / 'summary.json').read_text()) for i in (0, 1)] for name in 'ab'
    }
    for name, row in zip('ab', found, strict=True):
        mean = sum(summary['final_test_error'] for summary in summaries[name]) / 2
        assert row[5].startswith(f'{mean:.2f} ± ') and row[2] == f'{summaries[name][0]["parameters"]:,}'
    (section, _) = reading.read([runs / 'studies', runs / 'only'])
    assert found == [[str(cell) for cell in row] for row in columns.table(section).rows]
    lines = list(csv.DictReader(page.with_suffix('.csv').read_text().splitlines()))
    assert [float(line['test_error_mean']) for line in lines[:2]] == [11.0, 21.0]
    assert lines[2]['states'] == 'failed' and lines[2]['test_error_mean'] == ''
    assert '| rate 0.1 | ResNet-8 | 75,002 | 3.0 M | 2 of 2: [0](' in squeezed(page.with_suffix('.md').read_text())


def test_every_link_leads_to_a_run_folder_or_picture(page: Path) -> None:
    for text in (page.read_text(), page.with_suffix('.md').read_text()):
        links = re.findall(r'href="([^"#]+/)"', text) or re.findall(r'\]\(([^)]+)\)', text)
        assert len(links) >= 5
        for link in links:
            assert (page.parent / unquote(link)).exists(), link
    folders = next(csv.DictReader(page.with_suffix('.csv').read_text().splitlines()))['run_folders'].split('; ')
    assert len(folders) == 2 and all((ROOT / folder / 'config.json').exists() for folder in folders)


def test_the_page_needs_no_network(page: Path) -> None:
    html = re.sub('<script>.*?</script>', '', page.read_text(), flags=re.DOTALL)
    assert not re.search(r'<(script|link|img)[^>]+(src|href)="(?!data:)', html)
    assert 'Which &lt;rate&gt; is better?' in html and '<rate>' not in html
    pictures = {path.suffix for path in (page.parent / 'report_pictures').iterdir()}
    assert pictures == {'.png', '.svg'}


def test_whatever_a_run_says_is_escaped(study: Path) -> None:
    pytest.importorskip('altair')
    evil = '<img src=x onerror=alert(1)>'
    (section,) = reading.read([study])
    rows = [replace(row, label=evil, runs=[replace(run, seed=evil) for run in row.runs]) for row in section.rows[:1]]
    section = replace(section, rows=rows, question=evil, about=evil, source=evil, notes=[evil])
    html = page_of.render([section], {section.name: pictures.of_section(section)}, study)
    assert '<img src=x' not in html and html.count('&lt;img src=x') > 8 and '\\u003cimg src=x' in html
    markdown = files.markdown([section], {section.name: []}, study)
    assert '<img src=x' not in markdown and markdown.count('&lt;img src=x') > 5


def test_a_look_at_one_run(tmp_path: Path) -> None:
    folder = write_run(tmp_path / 'runs' / 'net' / 'seed0')
    (folder / 'responses.svg').write_text('<svg xmlns="http://www.w3.org/2000/svg"></svg>')
    done = report(folder)
    assert done.code == 0 and 'error: o test, . training' in done.output and '75,002' in done.output
    pytest.importorskip('altair')
    out = tmp_path / 'run.html'
    assert report(folder, f'--out={out}').code == 0
    html = out.read_text()
    assert (
        'Confusion matrix' in html
        and 'cat, predicted dog' in html
        and '<h3>responses</h3><img class="drawn" src="data:image/svg+xml;base64,' in html
    )
    assert (tmp_path / 'run_pictures' / 'mistake01.png').exists()


def test_a_report_replaces_only_what_a_report_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip('altair')
    monkeypatch.setattr('jax_resnet.report.charts.drawn', lambda chart, suffix: suffix.encode())  # drawing is slow
    folder, other = (write_run(tmp_path / 'runs' / 'net' / f'seed{seed}', seed) for seed in (0, 1))
    out = tmp_path / 'run.html'
    sections, mistake = reading.read([folder]), tmp_path / 'run_pictures' / 'mistake01.png'
    files.write(sections, out)
    mine = tmp_path / 'run_pictures' / 'mine.png'
    mine.write_bytes(b'mine')
    (other / 'mistakes.npz').unlink()
    files.write(reading.read([other]), out)
    assert not mistake.exists() and mine.read_bytes() == b'mine'
    theirs = tmp_path / 'theirs'
    theirs.write_bytes(b'theirs')
    before = out.read_bytes()
    for path in (out.with_suffix('.md'), mistake, out):
        written = path.read_bytes() if path.exists() else None
        path.unlink(missing_ok=True)
        if path.suffix == '.md':
            path.symlink_to(theirs)
        else:
            path.write_bytes(b'theirs')
        with pytest.raises(ConfigError, match=f'{path} was not written by a report, or was changed since; move it'):
            files.write(sections, out)
        assert path.read_bytes() == b'theirs' and (path == out or out.read_bytes() == before)
        path.unlink()
        if written is not None:
            path.write_bytes(written)
    files.write(sections, out)
    assert theirs.read_bytes() == b'theirs'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['none'], 'none: no such folder'),
        (['tests/report'], 'tests/report: has neither runs nor studies'),
    ],
)
def test_bad_input_is_one_line_and_exit_2(arguments: list[str], message: str) -> None:
    done = report(*arguments)
    assert (done.code, done.output) == (2, '') and done.errors.startswith(f'error: {message}')


def test_a_report_is_a_page(study: Path, tmp_path: Path) -> None:
    done = report(study, f'--out={tmp_path / "report.pdf"}')
    assert done.code == 2 and 'must be the path of a page, such as report.html' in done.errors
