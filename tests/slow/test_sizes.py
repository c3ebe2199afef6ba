"""The sizes of all configs are those that `configs/sizes.py` has counted; tests/test_parameter_counts.py has them, too."""

import pytest

from configs import sizes
from tests.test_parameter_counts import PARAMETERS, full_name


@pytest.mark.parametrize(('name', 'argument'), PARAMETERS)
def test_the_size_is_up_to_date(name: str, argument: str | None) -> None:
    full = full_name(name, argument)
    assert sizes.count(full) == sizes.read()[full], 'run: python -m configs.index'
