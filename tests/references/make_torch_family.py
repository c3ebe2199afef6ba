"""Makes `torch_family.npz`: what wide and grouped PyTorch networks compute, in float64. Needs PyTorch and torchvision.

    python tests/references/make_torch_family.py

ResNeXt and a wide network are the first two stages of torchvision's. `cifar_stem` is those of its ResNet-18 with
kuangliu's stem. The Wide ResNet for CIFAR is WRN-16-2, after Zagoruyko and Komodakis' models/wide-resnet.lua.
Gradients are those of half the sum of the squared logits. Of each tensor, at most 20 numbers are stored.
"""

from pathlib import Path

import numpy as np
import torch
import torchvision
from draw import draw_pytorch, real_images, sample
from make_torch_units import Network
from torch import nn
from torchvision.models.resnet import Bottleneck, ResNet


def networks() -> dict[str, ResNet]:
    found = {}
    for name, options in {'resnext': {'groups': 32, 'width_per_group': 4}, 'wide': {'width_per_group': 128}}.items():
        net = ResNet(Bottleneck, [2, 1, 1, 1], **options)
        net.layer3 = net.layer4 = nn.Identity()
        net.fc = nn.Linear(512, 10)
        found[name] = net
    net = torchvision.models.resnet18()
    net.conv1, net.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    net.layer3 = net.layer4 = nn.Identity()
    net.fc = nn.Linear(128, 10)
    return found | {'cifar_stem': net}


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
    wide = Network('cifar', 'basic', 'full_preactivation', 'B', train=True, stem=16, widths=(32, 64, 128))
    logits, _ = wide(torch.tensor(real_images(32)[::4]).double().permute(0, 3, 1, 2))
    (logits**2).sum().div(2).backward()
    results['cifar_wide/logits'] = logits.detach().numpy()
    for key, tensor in wide.parameters.items():
        results[f'cifar_wide/gradient/params/{key}'] = sample(tensor.grad.numpy())
    np.savez_compressed(Path(__file__).with_name('torch_family.npz'), **results)


if __name__ == '__main__':
    main()
