"""torchvision's ResNets in plain PyTorch. The tensors have torchvision's names, like those of `models.to_pytorch`."""

import torch
import torch.nn.functional as F
from torch import nn

SIZES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
"""Units in each stage, by depth."""
STAGES = (1, 2, 3, 4)


class Unit(nn.Module):
    """Two 3x3 convolutions, or a bottleneck. The shortcut is projected if the shape changes.

    Args:
        old, new: the channels of the input and of the output.
        stride: the stride of the unit.
        bottleneck: whether it has 1x1, 3x3 and 1x1 convolutions, with a quarter of the channels inside.
        v1_5: whether a bottleneck has its stride in the 3x3 convolution (torchvision), not in the first one (He et al.
            2015).
    """

    def __init__(self, old: int, new: int, stride: int, bottleneck: bool, v1_5: bool) -> None:
        super().__init__()
        if bottleneck:
            first, second = (1, stride) if v1_5 else (stride, 1)
            layers = [(old, new // 4, 1, first), (new // 4, new // 4, 3, second), (new // 4, new, 1, 1)]
        else:
            layers = [(old, new, 3, stride), (new, new, 3, 1)]
        self.count = len(layers)
        for i, (inputs, outputs, window, step) in enumerate(layers, start=1):
            self.add_module(f'conv{i}', nn.Conv2d(inputs, outputs, window, step, window // 2, bias=False))
            self.add_module(f'bn{i}', nn.BatchNorm2d(outputs))
        self.downsample: nn.Module | None = None
        if stride != 1 or old != new:
            self.downsample = nn.Sequential(nn.Conv2d(old, new, 1, stride, bias=False), nn.BatchNorm2d(new))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        for i in range(1, self.count + 1):
            y = self.get_submodule(f'bn{i}')(self.get_submodule(f'conv{i}')(y))
            y = F.relu(y) if i < self.count else y
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """A ResNet of a depth in SIZES, with bottlenecks from 50 on. Images may have any size: the last map is averaged."""

    def __init__(self, depth: int, classes: int = 1000, v1_5: bool = True) -> None:
        super().__init__()
        bottleneck, old = depth >= 50, 64
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        for stage, size in zip(STAGES, SIZES[depth], strict=True):
            units = []
            for i in range(size):
                new = 32 * 2**stage * (4 if bottleneck else 1)
                units.append(Unit(old, new, 2 if stage > 1 and i == 0 else 1, bottleneck, v1_5))
                old = new
            self.add_module(f'layer{stage}', nn.Sequential(*units))
        self.fc = nn.Linear(old, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns logits [batch, classes] for images [batch, 3, height, width]."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for stage in STAGES:
            x = self.get_submodule(f'layer{stage}')(x)
        return self.fc(x.mean((2, 3)))

    def initialize(self) -> None:
        """Initializes: convolutions normal, by He's fan-out; the head uniform within 1/sqrt(fan_in), its bias zero."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')
        bound = self.fc.in_features**-0.5
        nn.init.uniform_(self.fc.weight, -bound, bound)
        nn.init.zeros_(self.fc.bias)
