"""Trains a network from a config and writes a run folder; loads and evaluates trained networks."""

from jax_resnet.training.evaluation.saved import evaluate
from jax_resnet.training.loop import train
from jax_resnet.training.trained import Trained, load

__all__ = ['Trained', 'evaluate', 'load', 'train']
