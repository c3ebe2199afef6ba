"""Every unit, order and shortcut in the stacked layout, against the unstacked layout."""

import pytest

from tests.models.test_units import CASES, check_layouts


@pytest.mark.parametrize('case', [case for case in CASES if 'dropout' not in case])
def test_layouts_have_equal_gradients_and_statistics(case: str) -> None:
    check_layouts(case)
