"""What the files of a run may hold, as small as it can be."""

from typing import Any

LINE: dict[str, Any] = {
    'step': 5, 'epoch': 0.8, 'train_loss': 2.0, 'train_error': 80.0, 'test_loss': 2.1, 'test_error': 81.0,
    'learning_rate': 0.1, 'images_per_second': 100.0, 'seconds': 3.0, 'train_loss_sum': 1.0, 'train_error_sum': 1,
}  # fmt: skip

SUMMARY: dict[str, Any] = {
    'final_test_error': 5.0, 'final_test_loss': 0.2, 'best_test_error': 4.0, 'best_epoch': 1.0, 'final_train_error': 3.0,
    'test_correct': 95, 'test_count': 100, 'class_errors': {'cat': 5.0, 'dog': None}, 'parameters': 75_002,
    'multiply_adds': 2_986_624, 'steps': 12, 'epochs': 2.0, 'seconds': 3.2, 'device': '1 x cpu (2 cores)',
}  # fmt: skip
