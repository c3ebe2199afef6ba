"""The sizes of all configs are those that `configs/sizes.py` has counted."""

import pytest

from configs import sizes


@pytest.mark.parametrize('name', sizes.read())
def test_the_size_is_up_to_date(name: str) -> None:
    assert sizes.count(name) == sizes.read()[name], 'run: python -m configs.index'
