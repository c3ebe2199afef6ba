"""Turns a PyTorch checkpoint (.pth, .pt, .th, .bin) into safetensors, which jax_resnet reads. Needs PyTorch.

    python scripts/pth_to_safetensors.py resnet20.th resnet20.safetensors [KEY]

It takes the weights out of what training scripts save beside them, such as {'model': ..., 'args': ...}. KEY chooses
others than the first ones, such as model_ema. It only loads tensors and plain values (`weights_only`), so that no code
in the file runs.
"""

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PosixPath
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

KEYS = ('state_dict', 'model', 'net', 'model_state_dict', 'model_state', 'network', 'weights')
"""Where training scripts put the weights: timm and Lightning, torchvision's references, kuangliu/pytorch-cifar, ..."""

AVERAGES = ('state_dict_ema', 'model_ema', 'ema')
"""Where they put averaged weights, which are taken if there are no others."""


def main(source: str, target: str, key: str | None = None) -> None:
    """Converts a file. Raises ValueError, with one line, if it cannot be read or has no weights."""
    checkpoint = load(source)
    if key is None:
        key = next((key for key in KEYS + AVERAGES if key in names(checkpoint) and is_weights(checkpoint[key])), None)
        found = [name for name in names(checkpoint) if is_weights(checkpoint[name])]
        if key is None and len(found) == 1 and not is_weights(checkpoint):  # under another name
            key = found[0]
    elif key not in names(checkpoint):
        raise ValueError(
            f'{source}: has no {key!r}; it has {", ".join(names(checkpoint)) or type(checkpoint).__name__}'
        )
    weights = checkpoint if key is None else checkpoint[key]
    if not is_weights(weights):
        has = ', '.join(names(weights)[:20]) or f'a {type(weights).__name__}'
        raise ValueError(f'{source}: must have a dict of tensors by name, also under {", ".join(KEYS)}; it has {has}')
    tensors = {name: tensor.detach() for name, tensor in weights.items() if is_tensor(tensor)}
    left_out = [repr(name) for name in weights if name not in tensors]
    try:
        save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, target)
    except Exception as e:  # of the system, and of tensors of other types
        raise ValueError(f'{target}: cannot be written ({" ".join(str(e).split())[:200]})') from None
    others = [repr(name) for name in names(checkpoint) if key not in (None, name) and is_weights(checkpoint[name])]
    print(
        f'{target}: {len(tensors)} tensors'
        + (f' of {key!r}' if key else '')
        + (f'; a last word chooses other weights: {", ".join(others)}' if others else '')
        + (f'; left out, as they are no tensors: {", ".join(left_out)}' if left_out else '')
    )


def load(source: str) -> Any:
    """Loads tensors and plain values."""
    numbers = [np.dtype, np.ndarray, *{type(np.dtype(code)) for code in '?bhilBHILefd'}]  # of the best accuracy, say
    numbers += [(np.float64(0).__reduce__()[0], f'numpy.{part}.multiarray.scalar') for part in ('core', '_core')]
    numbers += [(np.zeros(0).__reduce__()[0], f'numpy.{part}.multiarray._reconstruct') for part in ('core', '_core')]
    torch.serialization.add_safe_globals([argparse.Namespace, PosixPath, Path, defaultdict, list, *numbers])
    try:
        return torch.load(source, map_location='cpu', weights_only=True)
    except Exception as e:  # of the system, of zip files, of pickles
        needs = re.search(r'GLOBAL (\S+) was not an allowed', str(e))
        reason = str(e) if isinstance(e, OSError) else 'it is not a file of torch.save with weights'
        reason = f'it needs code, {needs[1]}; save model.state_dict()' if needs else reason
        raise ValueError(f'{source}: cannot be read ({reason})') from None


def names(value: Any) -> list[str]:
    """The keys of a mapping; of anything else, none."""
    return [name for name in value if isinstance(name, str)] if isinstance(value, Mapping) else []


def is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


def is_weights(value: Any) -> bool:
    """Whether a value is a mapping with tensors by name."""
    return isinstance(value, Mapping) and any(map(is_tensor, value.values())) and all(isinstance(k, str) for k in value)


if __name__ == '__main__':
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except ValueError as e:
        sys.exit(f'error: {e}')
