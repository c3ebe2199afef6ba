"""Checks before a run that all its pictures can be read, so that no bad picture stops it after hours."""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from jax_resnet import files
from jax_resnet.data.pictures import decoding
from jax_resnet.data.pictures.batches import cores
from jax_resnet.data.pictures.source import Pictures, PictureSource
from jax_resnet.errors import DataError

_log = logging.getLogger(__name__)

CHECKS: dict[str, Callable[[bytes], Any]] = {'headers': decoding.size, 'all': decoding.decode}
"""By name, the function that checks a picture's bytes. 'all' includes the check of 'headers'."""

CHUNK = 256
"""Number of pictures that a thread reads per task."""

MOST_NAMED = 3
"""Maximum number of pictures that an error names."""


def check(source: PictureSource, split_specs: Sequence[str], how: str) -> None:
    """Reads all pictures of some splits, with one thread per CPU core.

    A marker file in the cache folder records that a check has passed. The same pictures are then not checked again.

    Args:
        source: source of the pictures.
        split_specs: splits in TFDS's syntax.
        how: 'headers' reads each picture and checks its header; 'all' also decodes it; 'none' does nothing.

    Raises:
        DataError: some pictures cannot be read; the message says how many, and names the first of them.
    """
    specs = sorted(set(split_specs))
    if how == 'none' or any(_exists(_marker(source, specs, passed)) for passed in (how, 'all')):
        return
    total, bad, named = 0, 0, list[str]()
    for spec in specs:
        pictures = source.read(spec)
        total += len(pictures)
        starts = range(0, len(pictures), CHUNK)
        with (
            ThreadPoolExecutor(cores()) as pool,
            tqdm(desc=f'checking {source.name}, {spec}', total=len(pictures), disable=None) as bar,
        ):
            for start, problems in zip(
                starts, pool.map(partial(_problems, pictures, CHECKS[how]), starts), strict=True
            ):
                bad += len(problems)
                named += problems[: MOST_NAMED - len(named)]
                bar.update(min(CHUNK, len(pictures) - start))
    if bad:
        more = ', ...' if bad > len(named) else ''
        raise DataError(
            f'{bad:,} of {total:,} pictures of {source.name} cannot be read: {", ".join(named)}{more}; '
            'remove or repair them'
        )
    _record(_marker(source, specs, how))


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


def _problems(pictures: Pictures, check_picture: Callable[[bytes], Any], start: int) -> list[str]:
    """The unreadable pictures in the chunk that begins at `start`, each with the reason."""
    found = []
    for index in range(start, min(start + CHUNK, len(pictures))):
        try:
            check_picture(pictures[index].encoded)
        except DataError as e:  # its message names the picture
            found.append(str(e))
        except ValueError as e:
            found.append(f'{pictures.name(index)} ({e})')
    return found


def _marker(source: PictureSource, specs: Sequence[str], how: str) -> Path:
    """Path of the marker file, which exists if the check has passed."""
    key = json.dumps([source.name, source.fingerprint, specs, how])
    return files.cache_folder() / f'checked-{hashlib.sha256(key.encode()).hexdigest()[:32]}'


def _exists(marker: Path) -> bool:
    with suppress(OSError):  # no permission to read the folder
        return marker.is_file()
    return False


def _record(marker: Path) -> None:
    try:
        marker.parent.mkdir(parents=True, exist_ok=True)
        files.write(marker, b'')
    except OSError as e:
        _log.warning(
            'the result of the check cannot be saved in %s, so the next start checks again: %s', marker.parent, e
        )
