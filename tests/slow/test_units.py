"""Every kind of unit, order and shortcut in the stacked form, against the unstacked form."""

import pytest

from tests.models.test_units import CASES, check_forms


@pytest.mark.parametrize('case', [case for case in CASES if 'dropout' not in case])
def test_forms_have_equal_gradients_and_statistics(case: str) -> None:
    check_forms(case)
