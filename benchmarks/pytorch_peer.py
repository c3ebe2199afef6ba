"""The same training step in plain, well-tuned PyTorch: channels-last, TF32, eager or compiled."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from networks import NETWORKS
from peers import Run
from torch import nn
from torchvision_resnet import ResNet


class Unit(nn.Module):
    """A basic unit (He et al. 2015, shortcut A) or a pre-activation bottleneck (2016, shortcut B)."""

    def __init__(self, old: int, new: int, stride: int, is_first: bool, preactivation: bool) -> None:
        super().__init__()
        self.stride, self.extra, self.preactivation = stride, new - old, preactivation
        inner = new // 4
        shapes = [(old, inner, 1, stride), (inner, inner, 3, 1), (inner, new, 1, 1)] if preactivation else [
            (old, new, 3, stride), (new, new, 3, 1)]  # fmt: skip
        self.convs = nn.ModuleList(nn.Conv2d(i, o, k, s, k // 2, bias=False) for i, o, k, s in shapes)
        self.norms = nn.ModuleList(nn.BatchNorm2d(i if preactivation else o) for i, o, _, _ in shapes)
        self.shares = preactivation and (is_first or stride != 1 or old != new)
        projects = preactivation and old != new
        self.project = nn.Conv2d(old, new, 1, stride, bias=False) if projects else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.preactivation:
            y = F.relu(self.norms[0](x))
            x = y if self.shares else x
            for i, conv in enumerate(self.convs):
                y = conv(F.relu(self.norms[i](y)) if i else y)
            return y + (x if self.project is None else self.project(x))
        y = self.norms[1](self.convs[1](F.relu(self.norms[0](self.convs[0](x)))))
        if self.stride != 1:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.extra))
        return F.relu(x + y)


def network(name: str) -> nn.Module:
    """Makes one of NETWORKS: for CIFAR with basic units or pre-activation bottlenecks; for ImageNet those of 2015."""
    described = NETWORKS[name]
    depth, preactivation = described['depth'], 'order' in described
    if described['name'] == 'imagenet_resnet':
        if preactivation or 'groups' in described:
            raise ValueError(f'{name}: has no counterpart in PyTorch here')
        return ResNet(depth, described['num_classes'], v1_5=False)
    factor, layers_per_unit = (4, 9) if preactivation else (1, 6)
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, 1, 1, bias=False)]
    if not preactivation:
        layers += [nn.BatchNorm2d(16), nn.ReLU()]
    old = 16
    for stage, width in enumerate((16, 32, 64)):
        for i in range((depth - 2) // layers_per_unit):
            layers.append(Unit(old, width * factor, 2 if stage and i == 0 else 1, not (stage or i), preactivation))
            old = width * factor
    if preactivation:
        layers += [nn.BatchNorm2d(old), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(old, 10))


def torchs(
    name: str, batch_size: int, steps: int, size: int = 32, dtype: str = 'float32', compiled: bool = False
) -> Run:
    """Returns PyTorch's step: forward, backward and SGD, on one batch on the device, without augmentation."""
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    net: nn.Module = network(name).to(device, memory_format=torch.channels_last)
    if compiled:  # with CUDA graphs
        net.compile(mode='reduce-overhead')
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    optimizer = torch.optim.SGD(net.parameters(), 0.1, 0.9, weight_decay=1e-4)
    x = torch.randn(batch_size, 3, size, size, device=device).contiguous(memory_format=torch.channels_last)
    y = torch.arange(batch_size, device=device) % 10

    def run() -> float:
        began = time.perf_counter()
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(device, torch.bfloat16, enabled=dtype == 'bfloat16'):
                loss = F.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
        loss.item()
        return (time.perf_counter() - began) / steps

    return run


def convolutions() -> Callable[..., float]:
    """Returns a function that times one of `convolutions.OPERATIONS` for a case. It gives median seconds."""

    def run(operation: str, case: Any, repeats: int) -> float:
        batch, height, width, channels = case.x
        pads = tuple(low for low, _ in case.padding)
        taps, _, _, features = case.kernel
        format = {'memory_format': torch.channels_last}
        x = torch.randn(batch, channels, height, width).contiguous(**format)
        kernel = torch.randn(features, channels // case.groups, taps, taps).contiguous(**format)

        def forward() -> torch.Tensor:
            return F.conv2d(x, kernel, None, case.strides, pads, groups=case.groups)

        cotangent = torch.randn_like(forward())

        def gradient(*which: bool) -> Callable:
            arguments = None, case.strides, pads, (1, 1), False, (0, 0), case.groups, (*which, False)
            return lambda: torch.ops.aten.convolution_backward(cotangent, x, kernel, *arguments)

        function = {
            'forward': forward,
            "input's gradient": gradient(True, False),
            "kernel's gradient": gradient(False, True),
        }[operation]
        function()
        seconds = []
        for _ in range(repeats):
            began = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - began)
        return statistics.median(seconds)

    return run
