"""The notebook runs on a new run, and its stored outputs have the form of what it shows there.

To store new outputs: `make train`, then `jupyter nbconvert --to=notebook --execute --inplace` with the notebook.
"""

import json
import re
from pathlib import Path

from jax_resnet.runs.run_folder import RunFolder
from tests.slow.processes import ROOT, printed

NOTEBOOK = ROOT / 'docs' / 'from_a_run_to_a_table.ipynb'

RUNNER = """
import ast, contextlib, io, json, sys
names, outputs = {}, []
for source in json.loads(sys.argv[1]):
    *body, last = ast.parse(source).body
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(ast.Module([*body, last][: -1 if isinstance(last, ast.Expr) else None], []), 'cell', 'exec'), names)
        value = eval(compile(ast.Expression(last.value), 'cell', 'eval'), names) if isinstance(last, ast.Expr) else None
    outputs.append((printed.getvalue(), value is not None))
print(json.dumps(outputs))
"""
"""A program that runs cells without Jupyter. It prints what each prints, and whether it ends with a value."""


def without_numbers(text: str) -> str:
    """Returns a text with 0 for each number, and one space for any others: columns may have other widths."""
    return re.sub(r' +', ' ', re.sub(r'\d[\d.,]*', '0', text))


def test_the_stored_outputs_are_those_of_a_new_run_but_for_its_numbers(tmp_path: Path) -> None:
    """With a smaller network, in a folder like a checkout. The notebook begins in docs/, as Jupyter does."""
    for name in ('main.py', 'configs', 'jax_resnet'):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / 'docs').mkdir()

    folder, cells = 'runs/resnet20_digits/seed0', json.loads(NOTEBOOK.read_text())['cells']
    printed(
        'main.py', '--config=configs/resnet20_digits.py', '--config.model.depth=8', f'--workdir={folder}', cwd=tmp_path
    )
    cells = [cell for cell in cells if cell['cell_type'] == 'code']
    sources = json.dumps([''.join(cell['source']) for cell in cells])
    new = json.loads(printed('-W', 'ignore::ResourceWarning', '-c', RUNNER, sources, cwd=tmp_path / 'docs'))
    for cell, (text, has_value) in zip(cells, new, strict=True):
        (stored,) = cell['outputs']
        assert ('data' in stored) == has_value
        assert without_numbers(text).replace(', depth 0', '') == without_numbers(''.join(stored.get('text', '')))
    assert RunFolder(tmp_path / folder).summary()['final_test_error'] < 10  # it learns: guesses are wrong in 90 %
    assert new[-1][0] + '\n' == printed('-m', 'jax_resnet', 'report', folder, cwd=tmp_path)


def test_it_says_nothing_of_the_machine_that_ran_it() -> None:
    text = NOTEBOOK.read_text()
    assert not re.search(r'/(root|home|tmp|work|Users)/|\d\d:\d\d:\d\d|timestamp|"execution": ', text)
    assert json.loads(text)['metadata'] == {
        'kernelspec': {'display_name': 'Python 3', 'language': 'python', 'name': 'python3'},
        'language_info': {'name': 'python'},
    }
