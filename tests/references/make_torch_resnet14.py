"""Makes `torch_resnet14.npz`: what PyTorch computes with small networks, to compare ours with. Needs PyTorch.

    python tests/references/make_torch_resnet14.py

For shortcuts A and B and the plain net: a ResNet-14 (two units a stage) with widths 4, 8, 16, random weights
and running statistics; in float64 its stage outputs and logits in evaluation, and in training the loss,
gradients, running means, and the parameters after three steps of SGD with momentum and weight decay.
Stored as float32, which holds the inputs exactly.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

WIDTHS = (4, 8, 16)
RATES = (0.1, 0.1, 0.01)


class Unit(nn.Module):
    def __init__(self, old: int, new: int, stride: int, shortcut: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(old, new, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(new)
        self.conv2 = nn.Conv2d(new, new, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(new)
        self.kind, self.stride, self.pad = shortcut, stride, new - old
        if shortcut == 'B' and (stride != 1 or old != new):
            self.shortcut = nn.ModuleDict(
                {'conv': nn.Conv2d(old, new, 1, stride, bias=False), 'norm': nn.BatchNorm2d(new)}
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        if self.kind == 'A':
            y = y + F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.pad))
        elif self.kind == 'B':
            y = y + (self.shortcut['norm'](self.shortcut['conv'](x)) if hasattr(self, 'shortcut') else x)
        return F.relu(y)


class ResNet14(nn.Module):
    """Named as our parameters are, with dots for slashes."""

    def __init__(self, shortcut: str) -> None:
        super().__init__()
        self.stem = nn.ModuleDict({'conv': nn.Conv2d(3, 4, 3, 1, 1, bias=False), 'norm': nn.BatchNorm2d(4)})
        old = 4
        for i, new in enumerate(WIDTHS, start=1):
            first = Unit(old, new, 1 if i == 1 else 2, shortcut)
            setattr(self, f'stage{i}', nn.ModuleDict({'unit1': first, 'unit2': Unit(new, new, 1, shortcut)}))
            old = new
        self.head = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        x = F.relu(self.stem['norm'](self.stem['conv'](x)))
        outputs = []
        for i in (1, 2, 3):
            stage = getattr(self, f'stage{i}')
            x = stage['unit2'](stage['unit1'](x))
            outputs.append(x)
        return self.head(x.mean((2, 3))), outputs


def ours(name: str, value: torch.Tensor) -> tuple[str, np.ndarray]:
    """Our name and layout of a PyTorch tensor; names of running statistics begin with batch_stats."""
    *path, leaf = name.split('.')
    array = value.detach().numpy().copy()
    if leaf == 'weight':
        leaf = 'scale' if array.ndim == 1 else 'kernel'
        array = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T
    collection = 'batch_stats' if leaf.startswith('running_') else 'params'
    return '/'.join([collection, *path, leaf.removeprefix('running_')]), array


def all_ours(tensors: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return dict(ours(name, t) for name, t in tensors.items() if not name.endswith('num_batches_tracked'))


def main() -> None:
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    images, labels = torch.randn(6, 3, 8, 8).float().double(), torch.tensor([3, 1, 4, 1, 5, 9])
    results: dict[str, np.ndarray] = {'images': images.permute(0, 2, 3, 1).numpy(), 'labels': labels.numpy()}
    for shortcut in ('A', 'B', 'none'):
        net = ResNet14(shortcut)
        with torch.no_grad():
            for name, t in net.state_dict().items():
                if name.endswith(('norm.weight', 'norm1.weight', 'norm2.weight', 'running_var')):
                    t.uniform_(0.5, 1.5)
                elif name.endswith(('bias', 'running_mean')):
                    t.normal_(0, 0.1)
                if t.is_floating_point():
                    t.copy_(t.float())
        found = {f'before/{name}': array for name, array in all_ours(net.state_dict()).items()}

        net.eval()
        logits, outputs = net(images)
        found |= {f'stage{i}': x.detach().permute(0, 2, 3, 1).numpy() for i, x in enumerate(outputs, start=1)}
        found['logits'] = logits.detach().numpy()

        net.train()
        optimizer = torch.optim.SGD(net.parameters(), momentum=0.9, weight_decay=1e-4)
        for step, rate in enumerate(RATES):
            optimizer.param_groups[0]['lr'] = rate
            optimizer.zero_grad()
            loss = F.cross_entropy(net(images)[0], labels)
            loss.backward()
            if step == 0:
                found['loss'] = loss.detach().numpy()
                gradients = {name: p.grad for name, p in net.named_parameters()}
                found |= {f'gradient/{name}': array for name, array in all_ours(gradients).items()}
            optimizer.step()
        found |= {f'after/{name}': a for name, a in all_ours(net.state_dict()).items() if not name.endswith('/var')}
        results |= {f'{shortcut}/{name}': array for name, array in found.items()}
    np.savez_compressed(
        Path(__file__).with_name('torch_resnet14.npz'), **{n: a.astype(np.float32) for n, a in results.items()}
    )


if __name__ == '__main__':
    main()
