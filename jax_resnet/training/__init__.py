"""Training and evaluation: from a config to a run folder, and from a run folder to a network."""

from jax_resnet.training.evaluation.saved import evaluate
from jax_resnet.training.loop import train
from jax_resnet.training.trained import Trained, load

__all__ = ['Trained', 'evaluate', 'load', 'train']
