"""Studies: plans the runs that answer a question, and trains them on this machine or by Slurm."""

from jax_resnet.studies.plan import Job, Plan, Row, read

__all__ = ['Job', 'Plan', 'Row', 'read']
