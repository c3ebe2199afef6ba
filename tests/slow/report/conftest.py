"""The same page of a study."""

from tests.report.conftest import report_page

__all__ = ['report_page']
