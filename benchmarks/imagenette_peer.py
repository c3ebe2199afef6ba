"""Trains PyTorch's ResNet by a config's recipe for pictures: `python benchmarks/imagenette_peer.py`. Needs PyTorch.

The recipe is that of configs/resnet18_imagenette.py: SGD with momentum, weight decay on kernels, and a learning rate
that falls to zero by half a cosine, step by step. The order of the pictures, their crops and the decoder are those of
our run with the same seed, so that the data cannot differ. PyTorch draws the weights and the flips. Prints a line for
each epoch and, last, a line of JSON.
"""

import argparse
import json
import time
from collections.abc import Iterator
from math import cos, pi

import numpy as np
import torch
import torch.nn.functional as F
from networks import fields
from torch import nn
from torchvision_resnet import ResNet

from jax_resnet.config.durations import Clock
from jax_resnet.config.fields import Config, Dataset
from jax_resnet.config.loading import load
from jax_resnet.data import PictureSource, open_source
from jax_resnet.data.pictures.batches import Batch, Batches, iterate
from jax_resnet.data.pictures.views import CentreCrop, training_crop
from jax_resnet.training.setup import SOURCE_FIELDS

EPOCH = '1 epoch'
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'


def views(config: Config, source: PictureSource, train: bool) -> Iterator[Batch]:
    """Yields batches: random crops of the training split, endlessly; or central crops of the test split, once."""
    dataset, settings, size = config.dataset, config.pictures, config.dataset.crop
    pictures = source.read(dataset.train if train else dataset.test)
    crop = training_crop(settings, size) if train else CentreCrop(settings.test_shorter_side, size)
    count = 2**40 if train else -(-len(pictures) // config.batch_size)
    batches = Batches(pictures, crop, size, config.batch_size, count, config.seed, settings.interpolation)
    return iterate(batches, 0, settings.threads, settings.processes)


def network_input(images: np.ndarray, dataset: Dataset) -> torch.Tensor:
    """Normalizes uint8 [batch, size, size, 3] to float32 [batch, 3, size, size], channels last, on DEVICE."""
    mean, std = (torch.tensor(numbers, device=DEVICE) for numbers in (dataset.channel_mean, dataset.channel_std))
    return ((torch.from_numpy(images).to(DEVICE) / 255 - mean) / std).permute(0, 3, 1, 2)


def test_error(net: nn.Module, config: Config, source: PictureSource) -> float:
    """Returns the error on the central crops of the test split, in percent."""
    net.eval()
    right = count = 0
    with torch.no_grad():
        for images, labels, draws in views(config, source, train=False):
            predicted = net(network_input(images, config.dataset)).argmax(1).cpu().numpy()
            is_first = draws[:, 0] == 0  # the last batch ends with pictures of a second epoch
            right, count = right + int((predicted == labels)[is_first].sum()), count + int(is_first.sum())
    net.train()
    return 100 * (1 - right / count)


def train(config: Config, source: PictureSource) -> Iterator[dict[str, float]]:
    """Trains, and yields the losses, errors and speed of each epoch.

    Args:
        config: a config. Its seed, data, network, batch size, length, optimizer and first learning rate are used.
        source: the data set of the config.
    """
    torch.manual_seed(config.seed)
    clock = Clock(source.count(config.dataset.train), config.batch_size, config.shorten)
    net = ResNet(config.model.depth, config.model.num_classes)
    net.initialize()
    net.to(DEVICE, memory_format=torch.channels_last)
    kernels = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim == 1]
    groups = [{'params': kernels, 'weight_decay': config.optimizer.weight_decay}, {'params': others}]
    highest, end = config.schedule.learning_rate, clock.steps(config.train_for)
    optimizer = torch.optim.SGD(groups, highest, config.optimizer.momentum)
    began, count, wrong, loss_sum = time.monotonic(), 0, 0, 0.0
    for step, (images, numbers, _) in zip(range(1, end + 1), views(config, source, train=True), strict=False):
        for group in optimizer.param_groups:
            group['lr'] = highest * (1 + cos(pi * (step - 1) / end)) / 2
        x, labels = network_input(images, config.dataset), torch.from_numpy(numbers).long().to(DEVICE)
        x = torch.where(torch.rand(len(x), 1, 1, 1, device=DEVICE) < 0.5, x.flip(3), x)
        logits = net(x)
        loss = F.cross_entropy(logits, labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        count, wrong = count + len(labels), wrong + int((logits.argmax(1) != labels).sum())
        loss_sum += len(labels) * loss.item()
        if clock.is_due(EPOCH, step) or step == end:
            seconds = time.monotonic() - began
            yield {
                'epoch': clock.epochs(step),
                'train_loss': loss_sum / count,
                'train_error': 100 * wrong / count,
                'test_error': test_error(net, config, source),
                'images_per_second': count / seconds,
            }
            began, count, wrong, loss_sum = time.monotonic(), 0, 0, 0.0


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', default='configs/resnet18_imagenette.py')
    parser.add_argument('--epochs', type=float, help='number of epochs (default: as in the config)')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--set', nargs='+', default=[], metavar='FIELD=VALUE', help='fields of the config to change')
    options = parser.parse_args()
    changes = {'seed': options.seed, **fields(options.set)}
    if options.epochs:
        changes['train_for'] = f'{options.epochs} epochs'
    config = load(options.config, changes)[0]
    source = open_source(**{name: getattr(config.dataset, name) for name in SOURCE_FIELDS})
    assert isinstance(source, PictureSource)
    results = []
    for epoch in train(config, source):
        results.append(epoch)
        print(
            f'epoch {epoch["epoch"]:.2f}: train loss {epoch["train_loss"]:.3f}, train error {epoch["train_error"]:.2f} '
            f'%, test error {epoch["test_error"]:.2f} %, {epoch["images_per_second"]:.0f} images/s',
            flush=True,
        )
    print(f'final test error {epoch["test_error"]:.2f} %')
    print(json.dumps({'torch': torch.__version__, 'config': options.config, **changes, 'epochs': results}))


if __name__ == '__main__':
    main()
