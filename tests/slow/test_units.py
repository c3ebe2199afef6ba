"""Every kind of unit, order and shortcut in the stacked form, against PyTorch and against the unstacked form."""

import pytest

from tests.models.test_units import CASES, check_activations, check_forms


@pytest.mark.parametrize('case', CASES)
def test_activations_of_the_stacked_form(case: str) -> None:
    check_activations(case, stacked=True)


WITHOUT_DROPOUT = [case for case in CASES if 'dropout' not in case]


@pytest.mark.parametrize(
    'case',
    [case if i % 4 == 0 else pytest.param(case, marks=pytest.mark.soak) for i, case in enumerate(WITHOUT_DROPOUT)],
)
def test_forms_have_equal_gradients_and_statistics(case: str) -> None:
    check_forms(case)
