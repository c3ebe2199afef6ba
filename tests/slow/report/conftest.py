"""The same page of a study."""

from tests.report.conftest import page

__all__ = ['page']
