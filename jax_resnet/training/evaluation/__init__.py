"""Evaluation: a network's scores on a split, by one view of each image or by several, and of a trained network."""
