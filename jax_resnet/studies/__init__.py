"""Studies: from a question to its runs, and the runs, one after another or side by side."""

from jax_resnet.studies.plan import Plan, Row, Run
from jax_resnet.studies.reading import read

__all__ = ['Plan', 'Row', 'Run', 'read']
