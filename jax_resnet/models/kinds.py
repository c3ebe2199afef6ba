"""Classifies the arrays of a network by their names."""

from collections.abc import Sequence


def kind(names: Sequence[str]) -> str:
    """The kind of an array, such as 'conv/kernel', 'norm/scale', 'norm/bias' or 'head/kernel'.

    Arrays of one kind are treated alike.

    Args:
        names: path of the array in the tree, such as 'stage1', 'unit1', 'conv2', 'kernel'.
    """
    *module, last = names[-2:]
    return '/'.join([*(name.rstrip('0123456789') for name in module), last])
