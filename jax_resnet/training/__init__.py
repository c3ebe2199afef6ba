"""Training and evaluation: from a config to a run folder."""

from jax_resnet.training.loop import evaluate, train

__all__ = ['evaluate', 'train']
