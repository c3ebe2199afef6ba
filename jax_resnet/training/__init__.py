"""Trains a network from a config and writes a run folder; loads and evaluates trained networks."""

from jax_resnet.training.evaluate import evaluate
from jax_resnet.training.load import Trained, load
from jax_resnet.training.train import train

__all__ = ['Trained', 'evaluate', 'load', 'train']
