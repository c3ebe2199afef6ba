"""Checks before a run that all its pictures can be read, so that no bad picture stops it after hours."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from tqdm import tqdm

from jax_resnet.data import cache
from jax_resnet.data.pictures import decoding
from jax_resnet.data.pictures.batches import cores
from jax_resnet.data.sources import Parts, PictureSource
from jax_resnet.errors import DataError, reason

_log = logging.getLogger(__name__)

CHUNK = 256
"""Number of pictures that a thread reads per task."""

MOST_NAMED = 3
"""Maximum number of pictures that an error names."""


def check(source: PictureSource, split_specs: Sequence[str], how: str) -> None:
    """Reads all pictures of some splits, with one thread per CPU core. The cache remembers those that are sound.

    Args:
        source: source of the pictures.
        split_specs: the splits, see `Splits.ranges`.
        how: 'headers' reads each picture and checks its header; 'all' also decodes it; 'none' does nothing, and so does
            'skip', for which `without_unreadable` made the source.

    Raises:
        DataError: some pictures cannot be read; the message says how many, and names the first of them.
    """
    if how in ('none', 'skip'):
        return
    specs = sorted(set(split_specs))
    bad = [problem for spec in specs for problem in _problems(source, spec, how).values()]
    if bad:
        named = ', '.join(bad[:MOST_NAMED]) + (', ...' if len(bad) > MOST_NAMED else '')
        total = sum(source.count(spec) for spec in specs)
        advice = 'remove or repair them, or add --config.dataset.check=skip'
        raise DataError(f'{len(bad):,} of {total:,} pictures of {source.name} cannot be read: {named}; {advice}')


def without_unreadable(source: PictureSource) -> PictureSource:
    """Leaves out the pictures that cannot be decoded. A line of the log lists them.

    Raises:
        DataError: of the pictures of a class in train, none can be decoded.
    """
    pictures, listing, fingerprint = dict(source.pictures), dict(source.listing), source.fingerprint
    for split, before in source.pictures.items():
        bad = _problems(source, split, 'all')
        if bad:
            counts = f'{len(bad):,} of {len(before):,}'
            _log.warning('left out %s pictures of %s, which cannot be read: %s', counts, split, ', '.join(bad.values()))
            rest = Parts([(before, i + 1, j) for i, j in pairwise([-1, *bad, len(before)])])
            pictures[split] = rest
            had, has = source.read(split).labels, rest.labels
            gone = [] if had is None or has is None else sorted({*had.tolist()} - {*has.tolist()})
            if gone and split == 'train':
                raise DataError(f'class {source.class_names[gone[0]]} has no picture in train that can be read')
            absent = [f'{Path(before.name(i)).name}, number {i}, left out 0'.encode() for i in bad]
            listing[split] = np.concatenate([listing.get(split, np.zeros(0, np.bytes_)), absent])
            fingerprint += f' without {split} {[*bad]}'
    sizes = {**source.sizes, **{split: len(each) for split, each in pictures.items()}}
    return replace(source, pictures=pictures, sizes=sizes, listing=listing, fingerprint=fingerprint)


def _problems(source: PictureSource, spec: str, how: str) -> dict[int, str]:
    """Why pictures of a split cannot be used, by index, in order."""
    pictures = source.read(spec)

    def problem(index: int) -> str | None:
        try:
            encoded, _ = pictures[index]
            (decoding.decode if how == 'all' else decoding.size)(encoded)
        except MemoryError:
            raise
        except Exception as e:  # for damaged files, the readers may raise any error
            return f'{pictures.name(index)} ({reason(e)})'
        return None

    def make() -> cache.Arrays:
        def in_chunk(start: int) -> list[int]:
            return [index for index in range(start, min(start + CHUNK, len(pictures))) if problem(index) is not None]

        starts, bad = range(0, len(pictures), CHUNK), []
        title = f'checking {source.name}, {spec}'
        with ThreadPoolExecutor(cores()) as pool, tqdm(desc=title, total=len(pictures), disable=None) as bar:
            for start, some in zip(starts, pool.map(in_chunk, starts), strict=True):
                bad += some
                bar.update(min(CHUNK, len(pictures) - start))
        return {'bad': np.array(bad, np.int64)}

    digest = cache.digest(source.name, source.fingerprint, spec, how)
    suspects = cache.load(f'checked-{digest}', make)['bad'].tolist()
    return {index: why for index in suspects if (why := problem(index)) is not None}


def warn_about_missing_classes(source: PictureSource, split_specs: Sequence[str]) -> None:
    """Logs a warning for each sliced split that has no pictures of some classes.

    Pictures from folders and tars are sorted by class, so 'train[:50%]' has pictures of only about half of the classes.
    """
    for spec in split_specs:
        labels = source.read(spec).labels if '[' in spec else None
        if labels is None:
            continue
        count = len(np.unique(labels))
        if count < len(source.class_names):
            _log.warning(
                'split %r of %s has only %s of %s classes, since the pictures are sorted by class',
                *(spec, source.name, f'{count:,}', f'{len(source.class_names):,}'),
            )
