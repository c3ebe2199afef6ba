"""The same folder to run studies in."""

from tests.studies.conftest import checkout

__all__ = ['checkout']
