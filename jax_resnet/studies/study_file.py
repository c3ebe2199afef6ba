"""Runs the file of a study and checks what its `get_study` returns."""

from typing import Any, TypedDict

import msgspec

from jax_resnet.config import loading
from jax_resnet.errors import ConfigError
from jax_resnet.runs.schemas import Amount, Count, Measure, Percent


class Row(TypedDict):
    """What `configs.studies.base.row` makes."""

    label: str
    config: str
    changes: dict[str, Any]
    published: Percent | None
    published_text: str
    group: str
    window: tuple[Amount, Amount] | None


class Study(TypedDict):
    """What `configs.studies.base.study` makes."""

    rows: list[Row]
    source: str
    measure: Measure
    most: Count | None


def load(file: str) -> dict[str, Any]:
    """Returns the study of a file: the fields of `Study`, and `question` and `about`, which are the file's docstring.

    Args:
        file: the file of the study, with its argument: `configs/studies/learning_rate.py:1,1/10`.

    Raises:
        ConfigError: there is no such file, it raises an error, or it does not return a study.
    """
    variables, study = loading.run(file, 'study')
    question, _, about = (variables['__doc__'] or file).strip().partition('\n\n')
    try:
        checked = msgspec.convert(study, Study)
    except msgspec.ValidationError as e:
        raise ConfigError(f'--study={file}: get_study must return what base.study makes; {e}') from None
    return {**checked, 'question': ' '.join(question.split()), 'about': about}
