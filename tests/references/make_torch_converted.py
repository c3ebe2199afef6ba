"""Makes `torch_converted.npz`: logits of a whole PyTorch network on real images. Needs PyTorch.

    python tests/references/make_torch_converted.py

A CIFAR ResNet-56 with akamaster's names; its weights are those of `draw.py`. `make_timm.py` has torchvision's networks.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from draw import draw_pytorch, real_images
from torch import nn


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


def main() -> None:
    net = ResNet56()
    shapes = {key: tuple(x.shape) for key, x in net.state_dict().items() if 'num_batches' not in key}
    net.load_state_dict({key: torch.tensor(draw_pytorch(key, shape)) for key, shape in shapes.items()}, strict=False)
    with torch.no_grad():
        logits = net.eval()(torch.tensor(real_images(32)).permute(0, 3, 1, 2)).numpy()
    np.savez_compressed(Path(__file__).with_name('torch_converted.npz'), resnet56=logits)


if __name__ == '__main__':
    main()
