"""What is said of a single run."""

import json
from pathlib import Path

from jax_resnet.report import run_facts
from jax_resnet.runs import run as runs
from tests.report.conftest import ROOT, write_run


def test_a_run_tells_its_recipe_dates_commit_versions_and_device(tmp_path: Path) -> None:
    folder = write_run(tmp_path / 'runs' / 'net' / 'seed0')
    start = {
        'step': 0,
        'versions': {'python': '3.11.7', 'jax': '0.10.2'},
        'device': '1 x abacus',
        'git_commit': 'b7d771a+',
        'jax_options': {},
    }
    (folder / 'environment.json').write_text(
        json.dumps(
            [
                {**start, 'device': 'another', 'date': '2026-11-24T10:00:00+00:00'},
                {**start, 'date': '2026-11-25T11:30:00+00:00'},
            ]
        )
    )
    told = dict(run_facts.facts(runs.read(folder)))
    assert (
        told['network'] == 'ResNet-8' and told['learning rate drops'] == '2 epochs' and told['train for'] == '4 epochs'
    )
    assert (told['started'], told['last continued']) == ('2026-11-24 10:00:00 UTC', '2026-11-25 11:30:00 UTC')
    assert (told['device'], told['commit'], told['versions']) == ('1 x abacus', 'b7d771a+', 'python 3.11.7, jax 0.10.2')
    assert ('model.depth', '8') in run_facts.fields(runs.read(folder))


def test_the_protocol_of_the_last_test_is_told_where_it_is_not_the_central_crop(tmp_path: Path) -> None:
    folder = write_run(tmp_path / 'runs' / 'net' / 'seed0')
    assert 'protocol of the last test' not in dict(run_facts.facts(runs.read(folder)))
    folder = write_run(tmp_path / 'ten_crop' / 'seed0', **{'pictures.protocol': 'ten_crop'})
    told = dict(run_facts.facts(runs.read(folder)))
    assert told['protocol of the last test'] == '10-crop' and told['averaged over views'] == 'probabilities'


def test_a_result_tells_it_too() -> None:
    told = dict(run_facts.facts(runs.read(ROOT / 'results' / 'resnet20_digits' / 'seed0.json')))
    assert told['config'] == 'resnet20_digits' and told['device'] == '1 x cpu (2 cores)' and len(told['commit']) == 40
