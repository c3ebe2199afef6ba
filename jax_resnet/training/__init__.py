"""Training and evaluation: from a config to a run folder."""

from jax_resnet.training.fields import ConfigError
from jax_resnet.training.loop import Diverged, Stopped, evaluate, train

__all__ = ['ConfigError', 'Diverged', 'Stopped', 'evaluate', 'train']
