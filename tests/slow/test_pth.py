"""Checkpoints of PyTorch's training scripts become weights. The tests need PyTorch."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.conftest import Ended
from tests.slow.processes import python

torch = pytest.importorskip('torch')


def converted(folder: Path, content: Any, *words: str) -> Ended:
    torch.save(content, folder / 'in.pth')
    return python('scripts/pth_to_safetensors.py', folder / 'in.pth', folder / 'out.safetensors', *words)


def test_weights_are_taken_out_of_what_scripts_save(tmp_path: Path) -> None:
    weights, others = ({'conv1.weight': torch.full((2,), value, dtype=torch.bfloat16)} for value in (1.0, 2.0))
    beside = {'epoch': 3, 'acc': np.float64(95.1), 'args': argparse.Namespace(lr=0.1, out=Path('x')), 'optimizer': {}}
    for content, words, value in (
        (weights, (), 1),
        ({'model': weights, 'model_ema': others} | beside, (), 1),
        ({'model': weights, 'model_ema': others} | beside, ('model_ema',), 2),
        ({'state_dict': weights, 'state_dict_ema': others} | beside, (), 1),
        ({'net': weights} | beside, (), 1),
        ({'ours': weights, 3: 4} | beside, (), 1),
    ):
        ended = converted(tmp_path, content, *words)
        assert ended.code == 0, ended.err
        assert load_file(tmp_path / 'out.safetensors')['conv1.weight'].astype(float).tolist() == [value] * 2


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'epoch': 3, 'optimizer': {}}, 'it has epoch, optimizer'),
        ([1, 2], 'it has a list'),
        ({'model': torch.nn.Linear(2, 2)}, 'it needs code, torch.nn.modules.linear.Linear; save model.state_dict()'),
    ],
)
def test_what_has_no_weights_is_one_line(tmp_path: Path, content: Any, message: str) -> None:
    ended = converted(tmp_path, content)
    assert ended.code == 1 and message in ended.err and len(ended.err.splitlines()) == 1
