"""Checks before a run that all its pictures can be read, so that no bad picture stops it after hours."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from tqdm import tqdm

from jax_resnet.data import cache
from jax_resnet.data.pictures import decoding
from jax_resnet.data.pictures.batches import cores
from jax_resnet.data.sources import Pictures, PictureSource
from jax_resnet.errors import DataError

_log = logging.getLogger(__name__)

CHECKS: dict[str, Callable[[bytes], Any]] = {'headers': decoding.size, 'all': decoding.decode}
"""By name, the function that checks a picture's bytes."""

CHUNK = 256
"""Number of pictures that a thread reads per task."""

MOST_NAMED = 3
"""Maximum number of pictures that an error names."""


def check(source: PictureSource, split_specs: Sequence[str], how: str) -> None:
    """Reads all pictures of some splits, with one thread per CPU core.

    The cache remembers a check that has passed. The same pictures are then not checked again.

    Args:
        source: source of the pictures.
        split_specs: the splits, see `Splits.ranges`.
        how: 'headers' reads each picture and checks its header; 'all' also decodes it; 'none' does nothing.

    Raises:
        DataError: some pictures cannot be read; the message says how many, and names the first of them.
    """
    specs = sorted(set(split_specs))
    if how == 'none':
        return

    def make() -> cache.Arrays:
        bad = [
            problem
            for spec in specs
            for problem in _problems(source.read(spec), f'checking {source.name}, {spec}', CHECKS[how])
        ]
        total = sum(source.count(spec) for spec in specs)
        if bad:
            named = ', '.join(bad[:MOST_NAMED]) + (', ...' if len(bad) > MOST_NAMED else '')
            reason = f'cannot be read: {named}; remove or repair them'
            raise DataError(f'{len(bad):,} of {total:,} pictures of {source.name} {reason}')
        return {'count': np.array(total)}

    about = repr([source.name, source.fingerprint, specs, how])
    cache.load(f'checked-{hashlib.sha256(about.encode()).hexdigest()[:32]}', make)


def _problems(pictures: Pictures, title: str, check_picture: Callable[[bytes], Any]) -> list[str]:
    """The unreadable pictures, each with the reason."""

    def in_chunk(start: int) -> list[str]:
        found = []
        for index in range(start, min(start + CHUNK, len(pictures))):
            try:
                check_picture(pictures[index][0])
            except DataError as e:  # its message names the picture
                found.append(str(e))
            except ValueError as e:
                found.append(f'{pictures.name(index)} ({e})')
        return found

    starts = range(0, len(pictures), CHUNK)
    found: list[str] = []
    with ThreadPoolExecutor(cores()) as pool, tqdm(desc=title, total=len(pictures), disable=None) as bar:
        for start, some in zip(starts, pool.map(in_chunk, starts), strict=True):
            found += some
            bar.update(min(CHUNK, len(pictures) - start))
    return found


def warn_about_missing_classes(source: PictureSource, split_specs: Sequence[str]) -> None:
    """Logs a warning for each sliced split that has no pictures of some classes.

    Pictures from folders and tars are sorted by class, so 'train[:50%]' has pictures of only about half of the classes.
    """
    for spec in split_specs:
        ranges = source.ranges(spec)
        labels: dict[str, Any] = {split: getattr(source.pictures[split], 'labels', None) for split, _, _ in ranges}
        if '[' not in spec or any(array is None for array in labels.values()):
            continue
        count = len(np.unique(np.concatenate([labels[split][start:stop] for split, start, stop in ranges])))
        if count < len(source.class_names):
            _log.warning(
                'split %r of %s has only %s of %s classes, since the pictures are sorted by class',
                *(spec, source.name, f'{count:,}', f'{len(source.class_names):,}'),
            )
