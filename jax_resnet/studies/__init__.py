"""Studies: plans the runs that answer a question, and trains them, one after another or in parallel."""

from jax_resnet.studies.plan import Job, Plan, Setting
from jax_resnet.studies.reading import read

__all__ = ['Job', 'Plan', 'Setting', 'read']
