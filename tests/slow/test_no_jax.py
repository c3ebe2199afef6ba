"""Whoever reads what runs left needs no JAX."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


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
    done = subprocess.run([sys.executable, '-c', program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ['finished 4 100', '(16, 16, 1) 10', 'finished', '2 9 (64, 10)']


def test_reading_reports_imports_neither_jax_nor_altair() -> None:
    program = (
        'import sys, jax_resnet.report.page, jax_resnet.report.sections\n'
        "print([name for name in ('jax', 'altair', 'vl_convert', 'jax_resnet.training') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, '-c', program], cwd=ROOT, capture_output=True, text=True).stdout == '[]\n'
