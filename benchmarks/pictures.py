"""Times the input of pictures: decoding, cropping, resizing and batching. `python benchmarks/pictures.py`.

Prints images a second for: each decoder alone; one decoder with the crop and the resize; the whole pipeline, with
several numbers of threads and processes; and PyTorch's DataLoader, where Pillow does the same crop. All are measured
alternately. The pictures come from a prepared data set. They are used unchanged, or enlarged to the usual size of
ImageNet's pictures.
"""

import argparse
import io
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from peers import Load, Run, in_a_process, in_turn, versions

from jax_resnet.data.pictures.batches import Batches, iterate, uniform
from jax_resnet.data.pictures.records import open_records
from jax_resnet.data.pictures.views import AreaCrop, resize

CROP = AreaCrop((0.08, 1.0), (3 / 4, 4 / 3))

NEEDED = 8 * 3000
"""Images a second that eight H200 would need to train ResNet-50, by a guess of 3,000 for each."""


@dataclass
class InMemory:
    """Encoded pictures in memory, so that the time of the disk is not measured."""

    encoded: list[bytes]

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, index: int) -> tuple[bytes, int]:
        return self.encoded[index], 0

    def name(self, index: int) -> str:
        return f'picture {index}'


def pictures(data_dir: str, count: int, enlarged: bool) -> InMemory:
    """Reads the first pictures of Imagenette. Enlarged to 500 x 375, they have about as many bytes as ImageNet's."""
    from PIL import Image

    split = open_records('imagenette', Path(data_dir)).read('train')
    encoded = [split[index][0] for index in range(count)]
    if enlarged:
        for index, content in enumerate(encoded):
            file = io.BytesIO()
            image = Image.open(io.BytesIO(content)).convert('RGB').resize((500, 375), Image.Resampling.BICUBIC)
            image.save(file, 'JPEG', quality=96)
            encoded[index] = file.getvalue()
    return InMemory(encoded)


def decoders() -> dict[str, Callable[[bytes], Any]]:
    """Returns the decoders, by name: functions from a JPEG to its pixels."""
    import simplejpeg
    from PIL import Image

    found: dict[str, Callable[[bytes], Any]] = {
        'simplejpeg': lambda encoded: simplejpeg.decode_jpeg(encoded, 'RGB'),
        'Pillow': lambda encoded: np.asarray(Image.open(io.BytesIO(encoded)).convert('RGB')),
    }
    try:
        import cv2
    except ImportError:
        return found
    cv2.setNumThreads(1)
    found['OpenCV'] = lambda encoded: cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR_RGB)
    return found


def each(function: Callable[[int], Any], count: int) -> Run:
    """Times a function, called for one picture after another: mean seconds a picture."""

    def run() -> float:
        began = time.perf_counter()
        for index in range(count):
            function(index)
        return (time.perf_counter() - began) / count

    return run


def with_resize(source: InMemory, size: int) -> Callable[[int], None]:
    """Returns a function that decodes, crops and resizes a picture, and does nothing else."""
    import simplejpeg

    numbers = [uniform(0, 0, i) for i in range(len(source))]

    def one(index: int) -> None:
        image = simplejpeg.decode_jpeg(source.encoded[index], 'RGB')
        resize(image, CROP(*image.shape[:2], numbers[index]), size, size, 'bilinear')

    return one


def steadily(batches: Iterator[Any], batch_size: int, count: int) -> Run:
    """Times an endless iterator: takes `count` batches at each call, and returns seconds an image."""

    def run() -> float:
        began = time.perf_counter()
        for _ in itertools.islice(batches, count):
            pass
        return (time.perf_counter() - began) / (count * batch_size)

    return run


def pipeline(source: InMemory, size: int, batch_size: int, count: int, threads: int, processes: int) -> Run:
    """Times the whole pipeline. Each call starts it again, so that no thread works while others are measured."""
    batches = Batches(source, CROP, size, batch_size, 2**40, seed=0)

    def run() -> float:
        iterator = iterate(batches, 0, threads, processes)
        for _ in range(2 * max(1, processes) * threads):  # until it runs steadily
            next(iterator)
        seconds = steadily(iterator, batch_size, count)()
        iterator.close()
        return seconds

    return run


def data_loader(source: InMemory, size: int, batch_size: int, count: int, workers: int) -> Run:
    """Times PyTorch's DataLoader with uint8 batches. Pillow decodes, crops and resizes."""
    import torch
    from PIL import Image

    class Views(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return 2**30

        def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
            encoded, label = source[index % len(source)]
            image = Image.open(io.BytesIO(encoded)).convert('RGB')
            left, top, right, bottom, _ = CROP(image.height, image.width, uniform(0, 0, index))
            cut = image.crop((int(left), int(top), int(right), int(bottom)))
            return np.array(cut.resize((size, size), Image.Resampling.BILINEAR)), label

    torch.set_num_threads(1)

    def run() -> float:
        loader = torch.utils.data.DataLoader(Views(), batch_size, num_workers=workers, multiprocessing_context='fork')
        iterator = iter(loader)
        for _ in range(2 * max(1, workers)):
            next(iterator)
        return steadily(iterator, batch_size, count)()

    return run


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--data_dir',
        default=os.environ.get('TFDS_DATA_DIR', ''),
        help='folder of prepared TFDS data with imagenette (default: TFDS_DATA_DIR)',
    )
    parser.add_argument(
        '--enlarged', action='store_true', help='pictures of 500 x 375 pixels and views of 224 (default: 160 and 128)'
    )
    parser.add_argument('--pictures', type=int, default=256)
    parser.add_argument('--batch_size', type=int, default=64)
    parser.add_argument('--batches', type=int, default=6, help='number of batches in a round')
    parser.add_argument('--rounds', type=int, default=7)
    options = parser.parse_args()
    source, size = pictures(options.data_dir, options.pictures, options.enlarged), 224 if options.enlarged else 128
    runs = {
        f'{name} alone': each(lambda i, decode=decode: decode(source.encoded[i]), len(source))
        for name, decode in decoders().items()
    }
    bound = 'simplejpeg, crop and resize, one core'
    runs[bound] = each(with_resize(source, size), len(source))
    arguments = size, options.batch_size, options.batches
    for threads, processes in ((1, 0), (2, 0), (4, 0), (1, 1), (1, 2)):
        runs[f'pipeline, {threads} threads, {processes} processes'] = pipeline(source, *arguments, threads, processes)
    with (
        Load() as load,
        in_a_process(data_loader, source, *arguments, 1) as one,
        in_a_process(data_loader, source, *arguments, 2) as two,
    ):
        runs |= {"PyTorch's DataLoader, 1 worker": one, "PyTorch's DataLoader, 2 workers": two}
        seconds = in_turn(runs, options.rounds)
    height, width = (375, 500) if options.enlarged else (160, 160)
    kib = sum(map(len, source.encoded)) / len(source) / 1024
    print(f'{len(source)} pictures of {height} x {width}, {kib:.0f} KiB each, views of {size}; {load}')
    for name, value in seconds.items():
        print(f'{name:40} {1 / value:8,.0f} images/s, {1e6 * value:6.0f} us')
    ours, theirs = seconds['pipeline, 1 threads, 0 processes'], seconds["PyTorch's DataLoader, 1 worker"]
    both = seconds["PyTorch's DataLoader, 2 workers"] / seconds['pipeline, 2 threads, 0 processes']
    print(f'speed of the pipeline, relative to one decoder with crop and resize: {seconds[bound] / ours:.2f} per core')
    print(f"relative to PyTorch's DataLoader: {theirs / ours:.2f} with one thread or worker, {both:.2f} with two")
    print(f'eight H200 at {NEEDED // 8:,} images/s each need {NEEDED:,} images/s, or {NEEDED * ours:.0f} such cores')
    print(json.dumps({**versions(), 'size': size, 'seconds': seconds, **load.found()}))


if __name__ == '__main__':
    main()
