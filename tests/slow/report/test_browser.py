"""The page in a browser: nothing is cut or wider than the window."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.report.conftest import report, write_run

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')
WIDTHS = (390, 768, 1024, 1440)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason='needs chromium')

# A window of Chromium's is at least 500 wide without a screen: a frame of each width is put in it, one after another.
PROBE = """<!doctype html><script>
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
const isCut = (svg) => [...svg.querySelectorAll('text')].filter((text) => {
  const [a, b] = [text.getBoundingClientRect(), svg.getBoundingClientRect()];
  return a.width > 0 && (a.left < b.left - 1 || a.right > b.right + 1 || a.bottom > b.bottom + 1);
}).map((text) => text.textContent);
async function look(width) {
  const frame = Object.assign(document.createElement('iframe'), { src: 'PAGE', width, height: 900, style: 'border: 0' });
  document.body.append(frame);
  await new Promise((done) => { frame.onload = done; });
  await pause(2500);
  const inside = frame.contentDocument;
  const charts = [...inside.querySelectorAll('.chart svg.marks')];
  const chart = charts.find((svg) => svg.querySelector('.role-legend-label text') && svg.querySelector('.mark-area'));
  const lines = () => [...chart.querySelectorAll('.mark-line path')].filter((line) => line.getAttribute('d')).length;
  const texts = [...inside.querySelectorAll('h1, h2, h3, p, dd, li, figcaption')];
  const found = {
    charts: inside.querySelectorAll('.chart').length,
    drawn: charts.filter((svg) => svg.getBoundingClientRect().width > 100).length,
    width: inside.documentElement.scrollWidth,
    cut: [...charts.flatMap(isCut), ...texts.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent)],
    before: chart ? lines() : 0,
  };
  const labels = chart ? [...chart.querySelectorAll('.role-legend-label text')] : [];
  const label = labels.find((text) => text.textContent.startsWith('rate'));
  if (label) {
    const { left, top } = label.getBoundingClientRect();
    for (const kind of ['pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click'])
      label.dispatchEvent(new (kind.startsWith('p') ? PointerEvent : MouseEvent)(
        kind, { bubbles: true, cancelable: true, clientX: left + 3, clientY: top + 3, view: frame.contentWindow }));
    await pause(700);
    found.after = lines();
  }
  frame.remove();
  return found;
}
onload = async () => {
  const found = {};
  for (const width of WIDTHS) found[width] = await look(width);
  document.title = JSON.stringify(found);
};
</script><body></body>"""


def look(page: Path, profile: Path) -> dict[str, Any]:
    """What a browser shows of a page, by the width of its window. Nothing may stand in the console."""
    probe = page.with_name(f'probe_{page.stem}.html')
    probe.write_text(PROBE.replace('PAGE', page.name).replace('WIDTHS', str(list(WIDTHS))))
    done = subprocess.run(
        [
            str(CHROMIUM), '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
            '--disable-background-networking', '--disable-component-update', '--disable-sync',
            '--allow-file-access-from-files', f'--user-data-dir={profile}', '--enable-logging=stderr',
            '--window-size=1600,1000', '--virtual-time-budget=60000', '--dump-dom', probe.as_uri(),
        ],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    title = re.search('<title>(.*?)</title>', done.stdout)
    assert title, done.stderr
    assert not [line for line in done.stderr.splitlines() if 'CONSOLE' in line]
    found: dict[str, Any] = json.loads(unescape(title[1]))
    assert [*found] == [*map(str, WIDTHS)]
    for width, seen in found.items():
        assert seen['width'] <= int(width), width
        assert seen['cut'] == [], width
        assert seen['charts'] == seen['drawn'], width
    return found


def test_of_studies_nothing_is_cut_and_a_click_switches_curves(report_page: Path, tmp_path: Path) -> None:
    for seen in look(report_page, tmp_path / 'profile').values():
        assert seen['charts'] >= 6
        assert (seen['before'], seen['after']) == (4, 2)  # one row of two is off


def test_of_a_run_with_long_names_nothing_is_cut(tmp_path: Path) -> None:
    folder = write_run(
        tmp_path / 'runs' / f'a_name_of_{"very_" * 12}great_length' / 'seed0', errors=(90, 20, 12, *[10] * 9)
    )
    assert report(folder, f'--out={tmp_path / "run.html"}').code == 0
    for seen in look(tmp_path / 'run.html', tmp_path / 'profile').values():
        assert seen['charts'] == 4
