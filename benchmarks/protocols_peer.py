"""Checks the test protocols against plain PyTorch: `python benchmarks/protocols_peer.py RUN --protocol=ten_crop`.

RUN is a run folder, or a file of weights with a card or a config. Both networks have the same weights and the same
decoded pictures. PyTorch's side does not use our code: Pillow resizes each whole picture, NumPy crops and mirrors it,
and the network gets one picture at a time. Prints how many predictions of each are right, and how far their
probabilities differ. It times nothing. Needs PyTorch.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence

import jax
import numpy as np
import torch
import torchvision_resnet
from networks import fields
from PIL import Image
from torch import nn

from jax_resnet import models, training
from jax_resnet.config.fields import Config
from jax_resnet.config.loading import load
from jax_resnet.data.pictures.decoding import decode
from jax_resnet.data.sources import Pictures
from jax_resnet.models.pytorch import check_style
from jax_resnet.training import recalibrate as recalibration
from jax_resnet.training.setup import open_input
from jax_resnet.training.step import augmented

SCALES = (224, 256, 384, 480, 640)
Views = list[np.ndarray]
"""The views of a picture: arrays uint8 [views, rows, columns, 3], one array for each size of views."""


def center(image: Image.Image, side: int, crop: int, resampling: Image.Resampling) -> Views:
    """Resizes a picture so that its shorter side is `side` long, and returns the central crop."""
    whole = shorter_side(image, side, resampling)
    top, left = (round((length - crop) / 2) for length in whole.shape[:2])
    return [whole[None, top : top + crop, left : left + crop]]


def ten_crop(image: Image.Image, side: int, crop: int, resampling: Image.Resampling) -> Views:
    """Resizes likewise, and returns crops of the four corners and the centre, and their mirror images."""
    whole = shorter_side(image, side, resampling)
    corners = [
        whole[rows, columns] for rows in (np.s_[:crop], np.s_[-crop:]) for columns in (np.s_[:crop], np.s_[-crop:])
    ]
    five = np.stack([*corners, *center(image, side, crop, resampling)[0]])
    return [np.concatenate([five, five[:, :, ::-1]])]


def multi_scale(image: Image.Image, scales: Sequence[int], resampling: Image.Resampling) -> Views:
    """Returns the whole picture and its mirror image, resized so that the shorter side has each of these lengths.

    The longer side becomes the nearest multiple of 32. If it is more than twice the shorter side, the ends are cut off
    first.
    """
    width, height = image.size
    if max(width, height) > 2 * min(width, height):
        columns, rows = min(width, 2 * height), min(height, 2 * width)
        left, top = (width - columns) // 2, (height - rows) // 2
        image = image.crop((left, top, left + columns, top + rows))
    short, long = sorted(image.size)
    found = []
    for scale in scales:
        longer = int(scale * long / short / 32 + 0.5) * 32
        size = (longer, scale) if image.width > image.height else (scale, longer)
        whole = np.asarray(image.resize(size, resampling))
        found.append(np.stack([whole, whole[:, ::-1]]))
    return found


def shorter_side(image: Image.Image, side: int, resampling: Image.Resampling) -> np.ndarray:
    """Resizes a picture so that its shorter side is `side` long. The longer side is rounded down."""
    short, long = sorted(image.size)
    longer = side * long // short
    size = (longer, side) if image.width > image.height else (side, longer)
    return np.asarray(image.resize(size, resampling))


def probabilities(
    net: nn.Module,
    pictures: Pictures,
    exif_rotation: bool,
    views: Callable[[Image.Image], Views],
    normalize: Callable[[np.ndarray], torch.Tensor],
    average: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns probabilities [n, classes], by the mean of softmax or logits over the views of a picture; and labels."""
    found, labels = [], []
    for index in range(len(pictures)):
        encoded, label = pictures[index]
        image = Image.fromarray(decode(encoded, exif_rotation))
        with torch.no_grad():
            logits = torch.cat([net(normalize(same_size)) for same_size in views(image)])
        scores = logits.softmax(1).mean(0) if average == 'softmax' else logits.mean(0).softmax(0)
        found.append(scores.numpy())
        labels.append(label)
    return np.stack(found), np.array(labels)


def recalibrate(net: nn.Module, inputs: Iterable[torch.Tensor]) -> None:
    """Sets BatchNorm's running statistics to the means over these batches of their mean and biased variance."""
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    sums, count = dict.fromkeys(norms, 0.0), 0

    def record(norm: nn.BatchNorm2d, given: tuple[torch.Tensor]) -> None:
        axes = (0, 2, 3)
        sums[norm] = sums[norm] + torch.stack([given[0].mean(axes), given[0].var(axes, unbiased=False)]).double()

    hooks = [norm.register_forward_pre_hook(record) for norm in norms]
    net.train()
    with torch.no_grad():
        for x in inputs:
            net(x)
            count += 1
    net.eval()
    for hook in hooks:
        hook.remove()
    for norm in norms:
        norm.running_mean, norm.running_var = (sums[norm] / count).float()


def training_inputs(config: Config, count: int) -> Iterator[torch.Tensor]:
    """Yields the inputs of our recalibration, one BatchNorm group at a time, with its views, flips and colours."""
    data, size = open_input(config), recalibration.batch_size(config)
    groups = size // (config.batch_norm.group_size or size)
    seed_key = jax.random.key(config.seed)
    for step, (images, draws) in zip(range(-(-count // size)), data.training_images(size), strict=False):
        x = augmented(data.augmentation, data.preprocess.normalize, seed_key, step, images, draws)
        yield from torch.from_numpy(np.array(x)).permute(0, 3, 1, 2).chunk(groups)


def count_correct(scores: np.ndarray, labels: np.ndarray, among: int) -> int:
    """Returns how many labels are among the `among` highest scores."""
    return int((np.argsort(-scores, kind='stable')[:, :among] == labels[:, None]).any(1).sum())


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('run')
    parser.add_argument('--config', help='config of weights without a card')
    parser.add_argument('--set', nargs='+', default=[], metavar='FIELD=VALUE', help='fields of that config to change')
    parser.add_argument('--split', help="split to test (default: the run's test split)")
    parser.add_argument('--protocol', default='center', choices=['center', 'ten_crop', 'multi_scale'])
    parser.add_argument('--average', default='softmax', choices=['softmax', 'logits'])
    parser.add_argument(
        '--recalibrate',
        type=int,
        default=0,
        metavar='N',
        help="compute BatchNorm's statistics again, over N training images",
    )
    parser.add_argument('--out', help='an .npz file to write, with the probabilities of both and the labels')
    options = parser.parse_args()
    given = load(options.config, fields(options.set))[0] if options.config else None
    trained = training.load(options.run, given)
    config = trained.config
    check_style(trained.model, 'torchvision')
    net = torchvision_resnet.of(models.to_pytorch(trained.variables))
    if options.recalibrate:
        recalibrate(net, training_inputs(config, options.recalibrate))
    mean, std = (np.asarray(part) for part in trained.preprocess.normalize)
    if options.protocol == 'multi_scale':  # pictures of any size
        mean = mean.reshape(-1, mean.shape[-1]).mean(0)
    side, crop = config.pictures.test_shorter_side, config.dataset.test_crop or config.dataset.crop
    resampling = Image.Resampling[config.pictures.interpolation.upper()]
    views: dict[str, Callable[[Image.Image], Views]] = {
        'center': lambda image: center(image, side, crop, resampling),
        'ten_crop': lambda image: ten_crop(image, side, crop, resampling),
        'multi_scale': lambda image: multi_scale(image, SCALES, resampling),
    }

    def normalize(images: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(((images / 255 - mean) / std).astype(np.float32)).permute(0, 3, 1, 2)

    split = options.split or config.dataset.test
    pictures = open_input(config).source.read(split)
    test = views[options.protocol], normalize, options.average
    theirs, labels = probabilities(net, pictures, config.pictures.exif_rotation, *test)
    average = None if options.protocol == 'center' else options.average
    same = {'protocol': options.protocol, 'average': average, 'recalibrate': options.recalibrate}
    scores = training.evaluate(options.run, split, config=given, **same)
    assert (scores.labels == labels).all()
    ours = torch.from_numpy(scores.logits).softmax(1).numpy()
    for name, found in (('jax_resnet', ours), ('PyTorch', theirs)):
        top1, top5 = (count_correct(found, labels, among) for among in (1, 5))
        print(f'{name}: {top1:,} of {len(labels):,} correct, {top5:,} in the top 5')
    differences = np.abs(ours - theirs)
    print(f'difference of probabilities: {differences.max():.2e} at most, {differences.mean():.2e} on average')
    if options.out:
        np.savez(options.out, jax_resnet=ours, torch=theirs, labels=labels)


if __name__ == '__main__':
    main()
