"""Trains a network from a config and writes a run folder; loads and evaluates trained networks."""

from jax_resnet.training.evaluation.saved import evaluate
from jax_resnet.training.load import Trained, load
from jax_resnet.training.loop import train

__all__ = ['Trained', 'evaluate', 'load', 'train']
