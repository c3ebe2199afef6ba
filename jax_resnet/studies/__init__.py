"""Studies: from a question to its runs, and the runs, one after another or side by side."""

from jax_resnet.studies.plan import Job, Plan, Setting
from jax_resnet.studies.reading import read

__all__ = ['Job', 'Plan', 'Setting', 'read']
