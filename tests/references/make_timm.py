"""Makes `timm.json` and `timm.npz`: tensors of timm's ResNets, and logits of those that are ours, on real images.

    python tests/references/make_timm.py

Needs timm, with PyTorch and torchvision. Torchvision's networks of OURS have the same tensors; the weights are those of
`draw.py`. The others are networks that ours are not.
"""

import json
from pathlib import Path

import numpy as np
import timm
import torch
import torchvision
from draw import draw_pytorch, real_images

OURS = (
    'resnet18', 'resnet34', 'resnet50', 'resnet101', 'resnet152', 'wide_resnet50_2', 'wide_resnet101_2', 'resnext50_32x4d', 'resnext101_32x8d',
    'resnext101_64x4d',
)  # fmt: skip
OTHERS = ('resnet18d', 'seresnet18', 'resnet50_gn', 'resnetv2_18')


def main() -> None:
    held, logits = {}, {}
    for name in (*OURS, *OTHERS):
        net = timm.create_model(name)
        held[name] = {key: tuple(x.shape) for key, x in net.state_dict().items()}
        if name in OURS:
            theirs = getattr(torchvision.models, name)().state_dict()
            assert held[name] == {key: tuple(x.shape) for key, x in theirs.items()}
            drawn = {key: draw_pytorch(key, shape) for key, shape in held[name].items() if 'num_batches' not in key}
            net.load_state_dict({key: torch.tensor(x) for key, x in drawn.items()}, strict=False)
            with torch.no_grad():
                logits[name] = net.eval()(torch.tensor(real_images(64)[::4]).permute(0, 3, 1, 2)).numpy()
    lines = ',\n'.join(f'{json.dumps(name)}: {json.dumps(of, separators=(",", ":"))}' for name, of in held.items())
    Path(__file__).with_name('timm.json').write_text(f'{{\n{lines}\n}}\n')
    np.savez_compressed(Path(__file__).with_name('timm.npz'), **logits)


if __name__ == '__main__':
    main()
