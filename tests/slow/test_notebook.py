"""The notebook runs on a new run, and its stored outputs have the form of what it shows there.

To store new outputs: `make train`, then `jupyter nbconvert --to=notebook --execute --inplace` with the notebook.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / 'docs' / 'from_a_run_to_a_table.ipynb'

RUNNER = '''
import ast, base64, contextlib, io, json, sys

def bundle(value):
    """The representations of a value, by MIME type, as Jupyter stores them."""
    data = {'text/plain': repr(value)}
    if hasattr(value, '_repr_mimebundle_'):
        bundled = value._repr_mimebundle_()
        data |= bundled[0] if isinstance(bundled, tuple) else bundled
    for name, kind in (('html', 'text/html'), ('png', 'image/png'), ('jpeg', 'image/jpeg')):
        if hasattr(value, f'_repr_{name}_'):
            data[kind] = getattr(value, f'_repr_{name}_')()
    return {kind: base64.b64encode(v).decode() if isinstance(v, bytes) else v for kind, v in data.items()}

names, outputs = {}, []
for cell in json.load(open(sys.argv[1]))['cells']:
    if cell['cell_type'] != 'code':
        continue
    *body, last = ast.parse(''.join(cell['source'])).body
    value, printed = None, io.StringIO()
    with contextlib.redirect_stdout(printed):
        if not isinstance(last, ast.Expr):
            body, last = [*body, last], None
        exec(compile(ast.Module(body, []), 'cell', 'exec'), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), 'cell', 'eval'), names)
    outputs.append([])
    if printed.getvalue():
        outputs[-1].append({'text': printed.getvalue()})
    if value is not None:
        outputs[-1].append({'data': bundle(value)})
json.dump(outputs, open(sys.argv[2], 'w'))
'''
"""A program that runs the cells without Jupyter. It writes their outputs to a file."""


def outputs_of(notebook: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The stored outputs of the code cells: each has a `text` or the `data` of a value, by MIME type."""
    cells = []
    for cell in notebook['cells']:
        if cell['cell_type'] == 'code':
            texts = [line for output in cell['outputs'] for line in output.get('text', [])]
            values = [output['data'] for output in cell['outputs'] if 'data' in output]
            data = [{'data': {kind: ''.join(lines) for kind, lines in value.items()}} for value in values]
            cells.append([{'text': ''.join(texts)}, *data] if texts else data)
    return cells


STORED = outputs_of(json.loads(NOTEBOOK.read_text()))


def without_numbers(text: str) -> str:
    """Returns a text with 0 for each number, and one space for any others: columns may have other widths."""
    return re.sub(r' +', ' ', re.sub(r'\d[\d.,]*', '0', text))


def test_the_stored_outputs_are_those_of_a_new_run_but_for_its_numbers(tmp_path: Path) -> None:
    """With a smaller network, in a folder like a checkout. The notebook begins in docs/, as Jupyter does."""
    for name in ('main.py', 'configs', 'jax_resnet'):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / 'docs').mkdir()

    def python(*words: str, folder: Path = tmp_path) -> str:
        done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    folder = 'runs/resnet20_digits/seed0'
    python('main.py', '--config=configs/resnet20_digits.py', '--config.model.depth=8', f'--workdir={folder}')
    program = ('-W', 'ignore::ResourceWarning', '-c', RUNNER, str(NOTEBOOK), 'outputs.json')
    python(*program, folder=tmp_path / 'docs')
    new = json.loads((tmp_path / 'outputs.json').read_text())
    assert [len(outputs) for outputs in STORED] == [1] * len(new)
    for (stored,), (made,) in zip(STORED, new, strict=True):
        assert stored.get('data', {}).keys() == made.get('data', {}).keys()
        if 'text' in stored:
            found, expected = (without_numbers(each['text']) for each in (made, stored))
            assert found.replace(', depth 0', '') == expected
    assert new[-1][0]['text'] + '\n' == python('-m', 'jax_resnet', 'report', folder)


def test_it_says_nothing_of_the_machine_that_ran_it() -> None:
    text = NOTEBOOK.read_text()
    assert not re.search(r'/(root|home|tmp|work|Users)/|\d\d:\d\d:\d\d|timestamp|"execution": ', text)
    assert json.loads(text)['metadata'] == {
        'kernelspec': {'display_name': 'Python 3', 'language': 'python', 'name': 'python3'},
        'language_info': {'name': 'python'},
    }
