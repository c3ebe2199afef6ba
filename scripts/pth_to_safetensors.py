"""Turns a PyTorch checkpoint (.pth, .th) into safetensors, which jax_resnet reads. Needs PyTorch and safetensors.

    python scripts/pth_to_safetensors.py resnet20.th resnet20.safetensors

It only loads tensors (`weights_only`), so that no code in the file runs.
"""

import sys

import torch
from safetensors.torch import save_file


def main(source: str, target: str) -> None:
    checkpoint = torch.load(source, map_location='cpu', weights_only=True)
    tensors = checkpoint.get('state_dict', checkpoint)
    save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, target)
    print(f'{target}: {len(tensors)} tensors')


if __name__ == '__main__':
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
