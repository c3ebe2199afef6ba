import os
import runpy
from pathlib import Path

import pytest

from jax_resnet.platform import huge_pages


def test_a_process_that_runs_our_program_as_a_part_is_not_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huge_pages, '_would_help', lambda: True)
    monkeypatch.setattr(os, 'execv', lambda *command: pytest.fail('started again'))
    (tmp_path / 'main.py').write_text('from jax_resnet.platform import huge_pages\nhuge_pages.restart()\nended = True')
    assert runpy.run_path(str(tmp_path / 'main.py'), run_name='__main__')['ended']
