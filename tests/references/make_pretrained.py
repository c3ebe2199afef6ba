"""Makes the tensors, configs and logits of other libraries' ResNets, on real images: `timm`, `transformers`, `torch_converted`.

    python tests/references/make_pretrained.py

Needs timm, torchvision and transformers, with PyTorch. The weights are those of `draw.py`. Torchvision's networks of OURS
have the same tensors as timm's; OTHERS are networks that ours are not. The configs of transformers are those of
microsoft/resnet-18 to 152 on the Hub: of its convert_resnet_to_pytorch.py, written by its ResNetConfig.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
import torch.nn.functional as F
import torchvision
from draw import draw_pytorch, real_images
from torch import nn
from transformers import ResNetConfig, ResNetForImageClassification

OURS = (
    'resnet18', 'resnet34', 'resnet50', 'resnet101', 'resnet152', 'wide_resnet50_2', 'wide_resnet101_2', 'resnext50_32x4d', 'resnext101_32x8d',
    'resnext101_64x4d',
)  # fmt: skip
OTHERS = ('resnet18d', 'seresnet18', 'resnet50_gn', 'resnetv2_18')
BASIC, BOTTLENECK = [64, 128, 256, 512], [256, 512, 1024, 2048]
MICROSOFT = {
    18: ('basic', [2, 2, 2, 2], BASIC),
    26: ('bottleneck', [2, 2, 2, 2], BOTTLENECK),
    34: ('basic', [3, 4, 6, 3], BASIC),
    50: ('bottleneck', [3, 4, 6, 3], BOTTLENECK),
    101: ('bottleneck', [3, 4, 23, 3], BOTTLENECK),
    152: ('bottleneck', [3, 8, 36, 3], BOTTLENECK),
}


class Block(nn.Module):
    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.stride, self.new = stride, channels - before
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        half = self.new // 2
        return F.relu(y + F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, half)))


class ResNet56(nn.Module):
    """A network for CIFAR with akamaster's names."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*[Block(16, 16, 1) for _ in range(9)])
        self.layer2 = nn.Sequential(Block(16, 32, 2), *[Block(32, 32, 1) for _ in range(8)])
        self.layer3 = nn.Sequential(Block(32, 64, 2), *[Block(64, 64, 1) for _ in range(8)])
        self.linear = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean((2, 3)))


def shapes(net: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(x.shape) for key, x in net.state_dict().items()}


def outputs(net: nn.Module, images: np.ndarray) -> Any:
    drawn = {key: draw_pytorch(key, shape) for key, shape in shapes(net).items() if 'num_batches' not in key}
    net.load_state_dict({key: torch.tensor(x) for key, x in drawn.items()}, strict=False)
    with torch.no_grad():
        return net.eval()(torch.tensor(images).permute(0, 3, 1, 2))


def write(name: str, logits: dict[str, torch.Tensor], lines: dict[str, Any] | None = None) -> None:
    path = Path(__file__).with_name(name)
    np.savez_compressed(path.with_suffix('.npz'), **{key: x.numpy() for key, x in logits.items()})
    if lines:
        text = ',\n'.join(f'{json.dumps(key)}: {json.dumps(x, separators=(",", ":"))}' for key, x in lines.items())
        path.with_suffix('.json').write_text(f'{{\n{text}\n}}\n')


def main() -> None:
    images = real_images(64)[::4]
    nets = {name: timm.create_model(name) for name in (*OURS, *OTHERS)}
    assert all(shapes(nets[name]) == shapes(getattr(torchvision.models, name)()) for name in OURS)
    tensors = {name: shapes(net) for name, net in nets.items()}
    write('timm', {name: outputs(nets[name], images) for name in OURS}, tensors)

    configs, logits = {}, {}
    for depth, (kind, depths, widths) in MICROSOFT.items():
        for is_first in (False, True) if depth == 26 else (False,):
            config = ResNetConfig(
                layer_type=kind, depths=depths, hidden_sizes=widths, downsample_in_bottleneck=is_first,
                id2label={label: f'class {label}' for label in range(10)}, architectures=['ResNetForImageClassification'],
            )  # fmt: skip
            name = f'resnet-{depth}' + '-downsample_in_bottleneck' * is_first
            logits[name] = outputs(ResNetForImageClassification(config), images).logits
            configs[name] = config.to_dict()
    write('transformers', logits, configs)
    write('torch_converted', {'resnet56': outputs(ResNet56(), real_images(32))})


if __name__ == '__main__':
    main()
