"""The command `evaluate`: its options and what it prints."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jax_resnet import training
from jax_resnet.data import open_source
from jax_resnet.runs import outputs
from jax_resnet.training.scores import Scores
from tests.conftest import Ended


def test_it_prints_the_top_5_error_and_the_hardest_classes(
    monkeypatch: pytest.MonkeyPatch, command: Callable[..., Ended]
) -> None:
    logits = np.zeros((120, 120), np.float32)
    logits[:, :4] = 1  # so labels 0 to 3 are in the top 5, and label 4, the first of the equal logits
    names = tuple(f'class {i}' for i in range(120))
    monkeypatch.setattr(training, 'evaluate', lambda *_, **__: Scores(logits, np.arange(120, dtype=np.int32), names))
    lines = command('evaluate', 'run').out.splitlines()
    assert lines[:3] == [
        'error 99.17 % (1 of 120 correct), loss 4.8099',  # log(116 + 4 e) - 4 / 120
        'top-5 error 95.83 % (5 of 120 correct)',
        'the 20 hardest of 120 classes',
    ]
    assert len(lines) == 23 and lines[3].split() == ['class', '1', '100.00', '%']
    numbers = json.loads(command('evaluate', 'run', '--json').out)
    assert (numbers['correct'], numbers['count']) == (1, 120) and numbers['class_errors']['class 0'] == 0
    assert numbers['top5_error'] == pytest.approx(100 * 115 / 120)


def test_options_reach_the_evaluation(monkeypatch: pytest.MonkeyPatch, command: Callable[..., Ended]) -> None:
    found: list[dict[str, Any]] = []
    scores = Scores(np.eye(2, dtype=np.float32), np.arange(2, dtype=np.int32), ('a', 'b'))
    monkeypatch.setattr(training, 'evaluate', lambda path, **options: found.append(options) or scores)
    options = ['--protocol=ten_crop', '--average=logits', '--recalibrate=64', '--crop=24', '--shorter-side=32']
    for words in ([], [*options, '--data=/elsewhere']):
        assert command('evaluate', 'run', *words).code == 0
    names = ('protocol', 'average', 'recalibrate', 'crop', 'shorter_side', 'data')
    assert [tuple(options[name] for name in names) for options in found] == [
        ('center', None, 0, None, None, None),
        ('ten_crop', 'logits', 64, 24, 32, '/elsewhere'),
    ]


def test_another_test_set_in_two_files(finished_run: Path, tmp_path: Path, command: Callable[..., Ended]) -> None:
    """The first 40 test images in the files of another test set give the same errors, and so do their parts."""
    examples = open_source('digits').read('test[:40]')
    images, labels = tmp_path / 'images.npy', tmp_path / 'labels.npy'
    np.save(images, examples.images)
    np.save(labels, examples.labels.astype(np.uint8))
    words = 'evaluate', finished_run, f'--images={images}', f'--labels={labels}'
    found = json.loads(command(*words, '--parts=2', '--json').out)
    own = [training.evaluate(finished_run, split) for split in ('test[:40]', 'test[:20]', 'test[20:40]')]
    assert [found['error'], *found['part_errors']] == [scores.error for scores in own]
    assert 'part 2: error ' in command(*words, '--parts=2').out
    odd = command(*words, '--parts=3')  # the error of all examples is not lost
    assert odd.code == 2 and odd.out.startswith('error ') and '--parts=3: must divide the 40 examples' in odd.err
    assert '--parts=0: must be at least 1' in command(*words, '--parts=0').err
    np.save(labels, examples.labels[:39])
    assert 'labels must be integers [40]; they are int32 [39]' in command(*words).err
    np.save(labels, np.full(40, 10))
    assert 'labels must be from 0 to 9; they are from 10 to 10' in command(*words).err
    np.save(images, examples.images[:, :8])
    assert 'images must be uint8 [40, 16, 16, 1]; they are uint8 [40, 8, 16, 1]' in command(*words).err
    assert 'images: must be given with labels' in command('evaluate', finished_run, f'--images={images}').err
    np.save(images, examples.images[:0])
    assert 'images must be uint8 [1, 16, 16, 1]; they are uint8 [0, 16, 16, 1]' in command(*words).err
    images.write_bytes(outputs.npz({'images': examples.images}))  # an archive of arrays
    assert 'images.npy: cannot be read as .npy' in command(*words).err
