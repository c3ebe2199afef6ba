"""Evaluation: scores of a network on a split, with one view of each image or with several."""
