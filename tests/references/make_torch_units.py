"""Makes `torch_units.npz`: what every kind of unit, order and shortcut computes, in PyTorch. Needs PyTorch.

    python tests/references/make_torch_units.py

Small networks (two units a stage, widths 8, 16, 32) written out by hand from the papers' figures, with the parameters
of `draw.py`, in float64: stage outputs and logits in evaluation, logits with the batch's statistics. Stored as float32.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from draw import draw

WIDTHS = (8, 16, 32)
ORDERS = ('original', 'bn_after_addition', 'relu_before_addition', 'relu_only_preactivation', 'full_preactivation')
CASES = [
    *[('cifar', unit, order, shortcut) for order in ORDERS for unit, shortcut in (('basic', 'A'), ('bottleneck', 'B'))],
    ('cifar', 'three_layer', 'original', 'A'),
    ('scaled', 'basic', 'original', 'B'),
    *[('cifar', 'one_layer', order, 'A') for order in ('original', 'full_preactivation')],
    *[('cifar', 'basic', 'full_preactivation', shortcut) for shortcut in ('B', 'none')],
    *[('cifar', 'basic', 'original', s) for s in ('C', 'scaling_0.5_0.25', 'exclusive_gating_-6', 'shortcut_only_gating_0.5', 'dropout')],
    ('imagenet', 'basic', 'original', 'B'),
    ('imagenet', 'bottleneck', 'original', 'B'),
    ('imagenet', 'bottleneck_v1.5', 'original', 'B'),
    ('imagenet', 'bottleneck', 'full_preactivation', 'B'),
]  # fmt: skip
WINDOWS, SHORTCUT_WINDOWS, POOLED_SIZE = (3, 5, 1), (1, 3, 5), 2
"""Of the family `scaled`, in each stage, and after its pooling."""
SIZES = {'cifar': 12, 'scaled': 16, 'imagenet': 32}
Tensor = torch.Tensor


class Network:
    """One case; `train` says whose statistics BatchNorm takes. After a call, `parameters` has those by their names."""

    def __init__(
        self, family: str, unit: str, order: str, shortcut: str, train: bool, stem: int = 8, widths: tuple = WIDTHS
    ) -> None:
        self.family, self.unit_kind, self.order, self.shortcut, self.train = family, unit, order, shortcut, train
        self.stem, self.widths = stem, widths
        self.parameters: dict[str, Tensor] = {}

    def parameter(self, name: str, shape: tuple[int, ...]) -> Tensor:
        self.parameters[name] = torch.tensor(draw(f'params/{name}', shape)).requires_grad_()
        return self.parameters[name]

    def conv(self, name: str, x: Tensor, channels: int, window: int, stride: int = 1, bias: bool = False) -> Tensor:
        kernel = self.parameter(f'{name}/kernel', (window, window, x.shape[1], channels))
        b = self.parameter(f'{name}/bias', (channels,)) if bias else None
        return F.conv2d(x, kernel.permute(3, 2, 0, 1), b, stride, window // 2)

    def norm(self, name: str, x: Tensor) -> Tensor:
        shape = (x.shape[1],)
        mean, var = (torch.tensor(draw(f'batch_stats/{name}/{leaf}', shape)) for leaf in ('mean', 'var'))
        scale, bias = (self.parameter(f'{name}/{leaf}', shape) for leaf in ('scale', 'bias'))
        return F.batch_norm(x, mean, var, scale, bias, training=self.train, eps=1e-5)

    def layers(self, name: str, width: int, stride: int) -> list[Callable[[Tensor], Tensor]]:
        inner = width // 4
        window = WINDOWS[WIDTHS.index(width)] if self.family == 'scaled' else 3
        windows = {
            'one_layer': [(width, 3, stride)],
            'basic': [(width, window, stride), (width, window, 1)],
            'three_layer': [(width, 3, stride), (width, 3, 1), (width, 3, 1)],
            'bottleneck': [(inner, 1, stride), (inner, 3, 1), (width, 1, 1)],
            'bottleneck_v1.5': [(inner, 1, 1), (inner, 3, stride), (width, 1, 1)],
        }[self.unit_kind]
        return [lambda x, i=i, w=w: self.conv(f'{name}/conv{i}', x, *w) for i, w in enumerate(windows, start=1)]

    def join(self, name: str, x: Tensor, y: Tensor, width: int, stride: int) -> Tensor:
        kind, _, numbers = (
            self.shortcut.partition('_') if self.shortcut.startswith('scaling') else (self.shortcut, '', '')
        )
        same = stride == 1 and x.shape[1] == width
        if kind == 'none':
            return y
        if kind in ('B', 'C'):
            if kind == 'B' and same:
                return y + x
            window = SHORTCUT_WINDOWS[WIDTHS.index(width)] if self.family == 'scaled' else 1
            x = self.conv(f'{name}/shortcut/conv', x, width, window, stride)
            return y + (x if self.order == 'full_preactivation' else self.norm(f'{name}/shortcut/norm', x))
        gate = (
            torch.sigmoid(self.conv(f'{name}/shortcut/gate', x, width, 1, stride, bias=True)) if 'gating' in kind else 0
        )
        x = F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, 0, width - x.shape[1]))
        if kind == 'scaling':
            on_shortcut, on_branch = map(float, numbers.split('_'))
            return on_branch * y + on_shortcut * x
        if kind.startswith('exclusive'):
            return gate * y + (1 - gate) * x
        if kind.startswith('shortcut_only'):
            return y + (1 - gate) * x
        return y + x  # A; and dropout, off

    def unit(self, name: str, x: Tensor, width: int, stride: int, first: bool) -> Tensor:
        """Figure 4 (a), (b), (c), (d), (e) of He et al. 2016."""
        layers = self.layers(name, width, stride)
        shares = first or stride != 1 or x.shape[1] != width
        n = len(layers)
        y = x
        if self.order in ('original', 'bn_after_addition', 'relu_before_addition'):
            for i, layer in enumerate(layers, start=1):
                y = layer(y)
                if i < n:
                    y = F.relu(self.norm(f'{name}/norm{i}', y))
            if self.order == 'original':
                return F.relu(self.join(name, x, self.norm(f'{name}/norm{n}', y), width, stride))
            if self.order == 'bn_after_addition':
                return F.relu(self.norm(f'{name}/norm{n}', self.join(name, x, y, width, stride)))
            return self.join(name, x, F.relu(self.norm(f'{name}/norm{n}', y)), width, stride)
        for i, layer in enumerate(layers, start=1):
            if i > 1 or not first or self.family != 'imagenet':
                y = F.relu(self.norm(f'{name}/norm{i}', y)) if self.order == 'full_preactivation' else F.relu(y)
            if i == 1 and shares:
                x = y
            y = layer(y)
            if self.order == 'relu_only_preactivation':
                y = self.norm(f'{name}/norm{i}', y)
        return self.join(name, x, y, width, stride)

    def __call__(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        window, stride = (7, 2) if self.family == 'imagenet' else (3, 1)
        x = self.conv('stem/conv', x, self.stem, window, stride)
        if self.order != 'full_preactivation' or self.family == 'imagenet':  # right after conv1 (2016, section 4.1)
            x = F.relu(self.norm('stem/norm', x))
        if self.family == 'imagenet':
            x = F.max_pool2d(x, 3, 2, 1)
        outputs = []
        for i, width in enumerate(self.widths, start=1):
            x = self.unit(f'stage{i}/unit1', x, width, 1 if i == 1 else 2, first=i == 1)
            x = self.unit(f'stage{i}/unit2', x, width, 1, first=False)
            outputs.append(x)
        if self.order == 'full_preactivation':
            x = F.relu(self.norm('end/norm', x))
        elif self.order == 'relu_only_preactivation':
            x = F.relu(x)
        pooled = F.adaptive_avg_pool2d(x, POOLED_SIZE if self.family == 'scaled' else 1)
        features = pooled.permute(0, 2, 3, 1).flatten(1)  # our order of the numbers
        shapes = (('kernel', (features.shape[1], 10)), ('bias', (10,)))
        kernel, bias = (self.parameter(f'head/{n}', s) for n, s in shapes)
        return features @ kernel + bias, outputs


def main() -> None:
    results = {}
    for case in CASES:
        size = SIZES[case[0]]
        images = torch.tensor(draw('images', (2, size, size, 3))).permute(0, 3, 1, 2)
        logits, outputs = Network(*case, train=False)(images)
        found = {f'stage{i}': x.permute(0, 2, 3, 1) for i, x in enumerate(outputs, start=1)}
        found |= {'logits': logits, 'train_logits': Network(*case, train=True)(images)[0]}
        results |= {f'{":".join(case)}/{name}': x.detach().numpy().astype(np.float32) for name, x in found.items()}
    np.savez_compressed(Path(__file__).with_name('torch_units.npz'), **results)


if __name__ == '__main__':
    main()
