"""What the file of a study may return."""

from pathlib import Path

import pytest

from jax_resnet.errors import ConfigError
from jax_resnet.studies import study_file

ROW = "'label': 'eight', 'config': 'configs/resnet20_digits.py', 'changes': {}, 'published': 1.5, 'group': ''"
WHOLE_ROW = f"{ROW}, 'published_text': '', 'window': (1, 2)"
REST = "'source': 'nobody', 'measure': 'final', 'most': None"


def written(text: str) -> str:
    Path('mine.py').write_text(text)
    return 'mine.py'


def test_a_study_and_its_docstring(checkout: Path) -> None:
    study = study_file.load(
        written(f'"""Is\nit so?\n\nYes."""\nget_study = lambda: {{"rows": [{{{WHOLE_ROW}}}], {REST}}}')
    )
    assert (study['question'], study['about']) == ('Is it so?', 'Yes.')
    assert study['rows'][0]['window'] == (1, 2) and study['most'] is None


@pytest.mark.parametrize(
    ('study', 'message'),
    [
        ('None', 'get_study must return what base.study makes; Expected `object`, got `null`'),
        (f'{{"rows": [{{{ROW}, "published_text": ""}}], {REST}}}', 'Object missing required field `window` - at `$.rows[0]`'),
        (f'{{"rows": [{{{WHOLE_ROW}}}], "source": "", "measure": "final"}}', 'Object missing required field `most`'),
        ('{"rows": [], "source": "", "most": None}', 'Object missing required field `measure`'),
        (f'{{"rows": [{{{WHOLE_ROW}, "label": 8}}], {REST}}}', 'Expected `str`, got `int` - at `$.rows[0].label`'),
        (f'{{"rows": [{{{WHOLE_ROW}, "published": 105}}], {REST}}}', 'Expected `float` <= 100.0 - at `$.rows[0].published`'),
        (f'{{"rows": [{{{WHOLE_ROW}, "window": 5}}], {REST}}}', 'Expected `array | null`, got `int` - at `$.rows[0].window`'),
        (f'{{"rows": [], {REST}, "measure": "mean"}}', "Invalid enum value 'mean' - at `$.measure`"),
        ('{}["x"]', "--study=mine.py: KeyError: 'x'"),
        ('exit()', '--study=mine.py: SystemExit'),
    ],
)  # fmt: skip
def test_what_is_no_study_is_one_line(checkout: Path, study: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        study_file.load(written(f'get_study = lambda: {study}'))
    text = str(error.value)
    assert text.startswith('--study=mine.py: ') and message in text and '\n' not in text
