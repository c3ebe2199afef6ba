"""The sentences say what the numbers do, and no more."""

from pathlib import Path

from jax_resnet.report import reading, terminal
from jax_resnet.report.answer import answers
from tests.report.conftest import TEN_CROP, write_run, write_study, write_top5


def answer(tmp_path: Path, rows: dict[str, list[float]], **more: object) -> str:
    for name, errors in rows.items():
        for seed, error in enumerate(errors):
            write_run(tmp_path / name / f'seed{seed}', seed, (90.0, 50.0, 30.0, error), init_from=name)
    described = [
        {'label': name, 'runs': [f'{name}/seed{i}' for i in range(max(1, len(errors)))], **more}
        for name, errors in rows.items()
    ]
    (section,) = reading.read([write_study(tmp_path / 'studies' / 's', described)])
    return ' '.join(answers(section))


def test_a_single_row_tells_its_top5_error_and_its_protocol(tmp_path: Path) -> None:
    write_top5(write_run(tmp_path / 'runs' / 'net' / 'seed0'), **TEN_CROP)
    (section,) = reading.read([tmp_path])
    assert answers(section) == [
        'On digits: The final test error of net is 10.00 %; the top-5 error is 4.00 %; the 10-crop test error is '
        '9.50 %; the 10-crop top-5 error is 3.25 %.'
    ]
    assert '10-crop top-5 error' in terminal.text(section).splitlines()[3]


def test_beyond_the_spread(study: Path) -> None:
    (section,) = reading.read([study])
    assert answers(section) == [
        'Rate 0.1 has the smallest final test error, 11.00 ± 1.41 %, 10.00 points below the 21.00 % of rate 1; the '
        'difference is larger than the spread over seeds (standard error 1.41 points, 2 and 2 runs). Compared with 1 '
        'published number, the largest difference is +2.00 points (rate 0.1).'
    ]


def test_within_the_spread(tmp_path: Path) -> None:
    text = answer(tmp_path, {'a': [8.0, 12.0], 'b': [9.0, 13.0], 'c': [30.0, 31.0]})
    smallest = (
        'A has the smallest final test error, 10.00 ± 2.83 %, 1.00 points below the 11.00 % of b; the difference is '
    )
    assert f'{smallest}within the spread over seeds (' in text
    largest = 'c has the largest, 30.50 ± 0.71 %, 20.50 points above a; the difference is '
    assert f'{largest}larger than the spread over seeds (' in text


def test_one_run_each_tells_nothing_of_the_spread(tmp_path: Path) -> None:
    text = answer(tmp_path, {'a': [8.0], 'b': [9.0]})
    assert 'as a row has only one run, the spread over seeds is not known, and the difference may be chance' in text
    assert 'larger' not in text


def test_failed_runs_are_told_and_a_row_with_them_claims_nothing(tmp_path: Path) -> None:
    for seed, error in enumerate((6.3, 6.4, 90.0)):
        write_run(
            tmp_path / 'a' / f'seed{seed}', seed, (90.0, 50.0, 30.0, error), 'failed' if seed == 2 else 'finished'
        )
        write_run(tmp_path / 'b' / f'seed{seed}', seed, (90.0, 50.0, 30.0, 7.0 + seed / 10), batch_size=50)
    rows = [{'label': name, 'runs': [f'{name}/seed{seed}' for seed in range(3)]} for name in 'ab']
    (section,) = reading.read([write_study(tmp_path / 'studies' / 's', rows)])
    assert answers(section) == [
        'A has the smallest final test error, 6.35 ± 0.07 %, 0.75 points below the 7.10 % of b; but 1 of 3 runs of a '
        'failed. These errors do not include failed runs: a (1 of 3).'
    ]


def test_rows_are_compared_by_the_measure_of_the_study(tmp_path: Path) -> None:
    for name, final, scales in (('b', 24.0, 22.5), ('c', 24.5, 21.5)):
        run = write_run(tmp_path / name / 'seed0', errors=(90.0, 50.0, 30.0, final), init_from=name)
        write_top5(run, protocol='multi_scale', protocol_test_error=scales, protocol_test_top5_error=6.0)
    rows = [{'label': name, 'runs': [f'{name}/seed0'], 'window': [3, 4]} for name in 'bc']
    told = {}
    for measure in ('final', 'protocol', 'window'):
        (section,) = reading.read([write_study(tmp_path / 'studies' / measure, rows, measure=measure)])
        told[measure] = answers(section)[0].partition(' points')[0]
    assert told == {
        'final': 'B has the smallest final test error, 24.00 %, 0.50',
        'protocol': 'C has the smallest multi-scale test error, 21.50 %, 1.00',
        'window': 'B has the smallest mean test error over epochs 3 to 4, 27.00 %, 0.25',
    }
    (section,) = reading.read([write_study(tmp_path / 'studies' / 'one', rows[:1], measure='protocol')])
    assert answers(section) == [
        'The multi-scale test error of b is 22.50 %; the top-5 error is 4.00 %; the multi-scale top-5 error is 6.00 %.'
    ]


def test_a_study_of_medians_compares_medians(tmp_path: Path) -> None:
    errors = {'a': (6.3, 6.4, 6.5, 6.4, 9.9), 'b': (6.7, 6.8, 6.9, 6.8, 6.8)}
    for name, numbers in errors.items():
        for seed, error in enumerate(numbers):
            write_run(tmp_path / name / f'seed{seed}', seed, (90.0, 50.0, 30.0, error), init_from=name)
    rows = [{'label': name, 'runs': [f'{name}/seed{seed}' for seed in range(5)]} for name in errors]
    (section,) = reading.read([write_study(tmp_path / 'studies' / 's', rows, measure='median')])
    start = 'A has the smallest median of the final test errors, 6.40 ± 1.57 %, 0.40 points below the 6.80 % of b; '
    assert answers(section)[0].startswith(f'{start}the difference is within the spread over seeds')


def test_equal_rows_are_equal(tmp_path: Path) -> None:
    assert answer(tmp_path, {'a': [8.0], 'b': [8.0]}) == 'A and b have the same final test error, 8.00 %.'


def test_rows_without_a_finished_run_are_not_compared(tmp_path: Path) -> None:
    text = answer(tmp_path, {'a': [8.0, 9.0], 'b': []})
    assert text == (
        'Only a is finished, with a final test error of 8.50 ± 0.71 %. Not compared, since they have no finished run: b.'
    )


def test_nothing_finished_no_answer(tmp_path: Path) -> None:
    assert answer(tmp_path, {'a': [], 'b': []}) == ''


def test_a_single_row(tmp_path: Path) -> None:
    assert answer(tmp_path, {'a': [8.0, 9.0]}) == 'The final test error of a is 8.50 ± 0.71 %.'
