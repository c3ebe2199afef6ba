"""What each array of a network is, by its name."""

from collections.abc import Sequence


def kind(names: Sequence[str]) -> str:
    """'conv/kernel', 'norm/scale', 'norm/bias', 'head/kernel', ...: the same for arrays that are treated alike.

    Args:
        names: that lead to the array, such as 'stage1', 'unit1', 'conv2', 'kernel'.
    """
    *module, last = names[-2:]
    return '/'.join([*(name.rstrip('0123456789') for name in module), last])
