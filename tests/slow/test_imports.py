"""What importing a part of the package does not bring with it: what is slow, or what its user may not have."""

from pathlib import Path

import pytest

from tests.slow.processes import printed


def test_a_run_a_result_and_a_card_are_read_without_jax(finished_run: Path) -> None:
    program = (
        'import sys\n'
        "for name in ('jax', 'jaxlib', 'flax', 'optax', 'orbax', 'tensorflow_datasets', 'ml_collections', 'absl'):\n"
        '    sys.modules[name] = None\n'
        'from pathlib import Path\n'
        'from jax_resnet.runs import results_folder, run, weights\n'
        'from jax_resnet.runs.run_folder import RunFolder\n'
        f'_, (folder, *_) = run.find([{str(finished_run)!r}])\n'
        'of_folder = run.read(folder)\n'
        'print(of_folder.state, of_folder.config.model.width, RunFolder(folder).predictions().labels.size)\n'
        'about = RunFolder(folder).preprocessing()\n'
        'print(about.image_shape, len(about.class_names))\n'
        'print(run.read(results_folder.paths()[0]).state)\n'
        "file = weights.read('results/weights/resnet20_digits.safetensors')\n"
        "print(file.network.seed, file.preprocessing.class_names[9], file.arrays['params/head/kernel'].shape)\n"
    )
    assert printed('-c', program).splitlines() == ['finished 4 100', '(16, 16, 1) 10', 'finished', '2 9 (64, 10)']


@pytest.mark.parametrize(
    ('modules', 'others'),
    [
        ('jax_resnet.report.page, jax_resnet.report.sections', ('jax', 'altair', 'vl_convert', 'jax_resnet.training')),
        ('jax_resnet, jax_resnet.models', ('tensorflow', 'tensorflow_datasets', 'orbax', 'jax_resnet.training')),
        ('jax_resnet.training, jax_resnet.commands.data', ('tensorflow', 'tensorflow_datasets')),
        ('jax_resnet', ('jax',)),
    ],
)
def test_an_import_brings_nothing_slow(modules: str, others: tuple[str, ...]) -> None:
    assert printed('-c', f'import sys, {modules}; print([name for name in {others} if name in sys.modules])') == '[]\n'


def test_digits_need_no_tfds() -> None:
    opened = "from jax_resnet import data; print(len(data.open_source('digits').read('train[:10%]+test')))"
    assert printed('-c', f"import sys; sys.modules['tensorflow_datasets'] = None; {opened}") == '504\n'


def test_importing_the_networks_changes_no_option() -> None:
    program = (
        'import os, jax\n'
        'before = dict(os.environ), dict(jax.config.values)\n'
        'import jax_resnet, jax_resnet.models\n'
        'print(before == (dict(os.environ), dict(jax.config.values)))\n'
    )
    assert printed('-c', program) == 'True\n'
