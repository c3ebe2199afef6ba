"""Makes `torch_family.npz`: what wide and grouped PyTorch networks compute, in float64. Needs PyTorch and torchvision.

    python tests/references/make_torch_family.py

ResNeXt and a wide network are the first two stages of torchvision's. `cifar_stem` is torchvision's ResNet-18 with
kuangliu's stem. The Wide ResNet for CIFAR is written here, after Zagoruyko and Komodakis' models/wide-resnet.lua.
Gradients are those of half the sum of the squared logits. Of each tensor, at most 20 numbers are stored.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from draw import draw, draw_pytorch, real_images, sample
from torch import nn
from torchvision.models.resnet import Bottleneck, ResNet

WIDE_SHAPES = {
    'stem/conv/kernel': (3, 3, 3, 16),
    **{
        f'stage{s}/unit{u}/{name}': shape
        for s, (before, width) in enumerate([(16, 32), (32, 64), (64, 128)], start=1)
        for u, channels in ((1, before), (2, width))
        for name, shape in {
            **{f'norm1/{leaf}': (channels,) for leaf in ('scale', 'bias', 'mean', 'var')},
            'conv1/kernel': (3, 3, channels, width),
            **{f'norm2/{leaf}': (width,) for leaf in ('scale', 'bias', 'mean', 'var')},
            'conv2/kernel': (3, 3, width, width),
            **({'shortcut/conv/kernel': (1, 1, channels, width)} if u == 1 else {}),
        }.items()
    },
    **{f'end/norm/{leaf}': (128,) for leaf in ('scale', 'bias', 'mean', 'var')},
    'head/kernel': (128, 10),
    'head/bias': (10,),
}


def networks() -> dict[str, ResNet]:
    found = {}
    for name, options in {'resnext': {'groups': 32, 'width_per_group': 4}, 'wide': {'width_per_group': 128}}.items():
        net = ResNet(Bottleneck, [2, 1, 1, 1], **options)
        net.layer3 = net.layer4 = nn.Identity()
        net.fc = nn.Linear(512, 10)
        found[name] = net
    net = torchvision.models.resnet18(num_classes=10)
    net.conv1, net.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    return found | {'cifar_stem': net}


def wide_resnet(t: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """WRN-16-2 by our names, with the batch's statistics."""

    def conv(name: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
        kernel = t[f'{name}/kernel'].permute(3, 2, 0, 1)
        return F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)

    def norm_relu(name: str, x: torch.Tensor) -> torch.Tensor:
        return F.relu(F.batch_norm(x, None, None, t[f'{name}/scale'], t[f'{name}/bias'], training=True))

    x = conv('stem/conv', x)
    for s in (1, 2, 3):
        for u in (1, 2):
            name, stride = f'stage{s}/unit{u}', 2 if (s > 1 and u == 1) else 1
            y = norm_relu(f'{name}/norm1', x)
            skip = conv(f'{name}/shortcut/conv', y, stride) if u == 1 else x
            x = skip + conv(f'{name}/conv2', norm_relu(f'{name}/norm2', conv(f'{name}/conv1', y, stride)))
    return norm_relu('end/norm', x).mean((2, 3)) @ t['head/kernel'] + t['head/bias']


def main() -> None:
    results = {}
    for name, net in networks().items():
        shapes = {key: tuple(x.shape) for key, x in net.state_dict().items() if 'num_batches' not in key}
        net.load_state_dict({k: torch.tensor(draw_pytorch(k, shape)) for k, shape in shapes.items()}, strict=False)
        net.double()
        images = torch.tensor(real_images(32)[::4]).double().permute(0, 3, 1, 2)
        results[f'{name}/logits'] = net.eval()(images).detach().numpy()
        variances = {}

        def keep(module: nn.Module, inputs: tuple, _: torch.Tensor, variances: dict = variances) -> None:
            biased = inputs[0].var((0, 2, 3), unbiased=False)
            variances[module] = 0.9 * module.old + 0.1 * biased

        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.old = module.running_var.clone()
                module.register_forward_hook(keep)
        (net.train()(images) ** 2).sum().div(2).backward()
        results |= {f'{name}/gradient/{key}': sample(p.grad.numpy()) for key, p in net.named_parameters()}
        for key, module in net.named_modules():
            if isinstance(module, nn.BatchNorm2d):
                results[f'{name}/after/{key}.running_mean'] = sample(module.running_mean.numpy())
                results[f'{name}/after/{key}.running_var'] = sample(variances[module].detach().numpy())
    collections = {k: 'batch_stats' if k.endswith(('mean', 'var')) else 'params' for k in WIDE_SHAPES}
    tensors = {k: torch.tensor(draw(f'{collections[k]}/{k}', v)).requires_grad_() for k, v in WIDE_SHAPES.items()}
    logits = wide_resnet(tensors, torch.tensor(real_images(32)[::4]).double().permute(0, 3, 1, 2))
    (logits**2).sum().div(2).backward()
    results['cifar_wide/logits'] = logits.detach().numpy()
    for key, tensor in tensors.items():
        if collections[key] == 'params':
            results[f'cifar_wide/gradient/params/{key}'] = sample(tensor.grad.numpy())
    np.savez_compressed(Path(__file__).with_name('torch_family.npz'), **results)


if __name__ == '__main__':
    main()
