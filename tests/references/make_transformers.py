"""Makes `transformers.json` and `transformers.npz`: the configs of transformers' ResNets, and their logits.

    python tests/references/make_transformers.py

Needs transformers, with PyTorch. The configs are those of microsoft/resnet-18 to 152 on the Hub: of transformers'
convert_resnet_to_pytorch.py, written by its ResNetConfig. The weights are those of `draw.py`.
"""

import json
from pathlib import Path

import numpy as np
import torch
from draw import draw_pytorch, real_images
from transformers import ResNetConfig, ResNetForImageClassification

BASIC, BOTTLENECK = [64, 128, 256, 512], [256, 512, 1024, 2048]
NETWORKS = {
    18: ('basic', [2, 2, 2, 2], BASIC),
    26: ('bottleneck', [2, 2, 2, 2], BOTTLENECK),
    34: ('basic', [3, 4, 6, 3], BASIC),
    50: ('bottleneck', [3, 4, 6, 3], BOTTLENECK),
    101: ('bottleneck', [3, 4, 23, 3], BOTTLENECK),
    152: ('bottleneck', [3, 8, 36, 3], BOTTLENECK),
}


def main() -> None:
    configs, logits = {}, {}
    labels = {label: f'class {label}' for label in range(10)}
    for depth, (kind, depths, widths) in NETWORKS.items():
        for is_first in (False, True) if depth == 26 else (False,):
            config = ResNetConfig(
                layer_type=kind, depths=depths, hidden_sizes=widths, id2label=labels, downsample_in_bottleneck=is_first,
                architectures=['ResNetForImageClassification'],
            )  # fmt: skip
            name = f'resnet-{depth}' + '-downsample_in_bottleneck' * is_first
            net = ResNetForImageClassification(config).eval()
            shapes = {key: tuple(x.shape) for key, x in net.state_dict().items()}
            drawn = {key: draw_pytorch(key, shape) for key, shape in shapes.items() if 'num_batches' not in key}
            net.load_state_dict({key: torch.tensor(x) for key, x in drawn.items()}, strict=False)
            with torch.no_grad():
                logits[name] = net(torch.tensor(real_images(64)[::4]).permute(0, 3, 1, 2)).logits.numpy()
            configs[name] = config.to_dict()
    lines = ',\n'.join(f'{json.dumps(name)}: {json.dumps(of, separators=(",", ":"))}' for name, of in configs.items())
    Path(__file__).with_name('transformers.json').write_text(f'{{\n{lines}\n}}\n')
    np.savez_compressed(Path(__file__).with_name('transformers.npz'), **logits)


if __name__ == '__main__':
    main()
