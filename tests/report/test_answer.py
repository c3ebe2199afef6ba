"""The sentences say what the numbers do, and no more."""

from pathlib import Path

from jax_resnet.report import page, sections
from jax_resnet.report.answer import answers
from tests.report.conftest import write_run, write_study, write_top5


def answer(tmp_path: Path, rows: dict[str, list[float]], **changes: object) -> list[str]:
    """Returns the answer for a study of rows, each given by the errors of its runs."""
    for name, errors in rows.items():
        for seed, error in enumerate(errors):
            write_run(tmp_path / name / f'seed{seed}', seed, (90.0, 50.0, 30.0, error), init_from=name)
    described = [
        {'label': name, 'runs': [f'{name}/seed{i}' for i in range(max(1, len(errors)))]}
        for name, errors in rows.items()
    ]
    (section,) = sections.read([write_study(tmp_path / 'studies' / 's', described, **changes)])
    return [*map(str, answers(section))]


def test_beyond_the_spread(study: Path) -> None:
    (section,) = sections.read([study])
    (told,) = answers(section)
    assert told.sentence == (
        'Rate 0.1 has the smallest final test error, 11.00 ± 1.41 %, 10.00 points below rate 1, more than the spread '
        'over seeds (standard error 1.41).'
    )
    assert told.details == ''


def test_within_the_spread(tmp_path: Path) -> None:
    (text,) = answer(tmp_path, {'a': [8.0, 12.0], 'b': [9.0, 13.0], 'c': [30.0, 31.0]})
    assert '10.00 ± 2.83 %, 1.00 points below b, within the spread over seeds (' in text
    assert 'C has the largest, 30.50 ± 0.71 %, 20.50 points above a, more than the spread over seeds (' in text


def test_of_one_run_each_the_difference_may_be_chance(tmp_path: Path) -> None:
    (text,) = answer(tmp_path, {'a': [8.0], 'b': [9.0]})
    assert '1.00 points below b, perhaps by chance, as a row has only one run.' in text


def test_a_row_with_failed_runs_claims_nothing(tmp_path: Path) -> None:
    for seed, error in enumerate((6.3, 6.4, 90.0)):
        state = 'failed' if seed == 2 else 'finished'
        write_run(tmp_path / 'a' / f'seed{seed}', seed, (90.0, 50.0, 30.0, error), state)
        write_run(tmp_path / 'b' / f'seed{seed}', seed, (90.0, 50.0, 30.0, 7.0 + seed / 10), batch_size=50)
    rows = [{'label': name, 'runs': [f'{name}/seed{seed}' for seed in range(3)]} for name in 'ab']
    (section,) = sections.read([write_study(tmp_path / 'studies' / 's', rows)])
    (text,) = map(str, answers(section))
    assert text == (
        'A has the smallest final test error, 6.35 ± 0.07 %, 0.75 points below b, but 1 of 3 runs of a failed.'
    )


def test_the_sentence_and_the_first_column_compare_by_the_measure_of_the_study(tmp_path: Path) -> None:
    for name, final, scales in (('b', 24.0, 22.5), ('c', 24.5, 21.5)):
        run = write_run(tmp_path / name / 'seed0', errors=(90.0, 50.0, 30.0, final), init_from=name)
        write_top5(run, protocol='multi_scale', protocol_test_error=scales, protocol_test_top5_error=6.0)
    rows = [{'label': name, 'runs': [f'{name}/seed0'], 'window': [3, 4]} for name in 'bc']
    told = {
        'final': 'B has the smallest final test error, 24.00 %, 0.50',
        'protocol': 'C has the smallest multi-scale test error, 21.50 %, 1.00',
        'window': 'B has the smallest mean test error over epochs 3 to 4, 27.00 %, 0.25',
    }
    for measure, start in told.items():
        (section,) = sections.read([write_study(tmp_path / 'studies' / measure, rows, measure=measure)])
        assert answers(section)[0].sentence.startswith(f'{start} points below')
        best, other = (section.measured(row).error for row in sorted(section.rows, key=lambda r: r not in section.best))  # type: ignore[union-attr]
        assert best < other and f'{best:.2f} %' in start
    (section,) = sections.read([write_study(tmp_path / 'studies' / 'one', rows[:1], measure='protocol')])
    assert [*map(str, answers(section))] == ['The multi-scale test error of b is 22.50 %.']


def test_the_median_of_an_even_number_of_runs_is_the_mean_of_the_two_middle_ones(tmp_path: Path) -> None:
    errors = {'a': [6.3, 6.4, 6.6, 9.9], 'b': [6.7, 6.8, 6.9, 6.8]}
    (text,) = answer(tmp_path, errors, measure='median')
    assert text.startswith('A has the smallest median of the final test errors, 6.50 ± 1.74 %, 0.30 points below b')


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    assert answer(tmp_path / '2', {'a': [8.0, 9.0], 'b': []}) == [
        'Only a is finished, with a final test error of 8.50 ± 0.71 %.'
    ]
    assert answer(tmp_path / '3', {'a': [], 'b': []}) == ['']


def test_runs_of_different_length_are_not_ranked(tmp_path: Path) -> None:
    for length, error in (('4 epochs', 10.0), ('40 steps', 8.0)):
        for depth in (8, 14):
            file, changes = 'configs/net.py', {'train_for': length, 'model.depth': depth}
            write_run(tmp_path / length / f'{depth}', errors=(90.0, 40.0, 20.0, error + depth), file=file, **changes)
    write_run(tmp_path / 'digits' / 'seed0', **{'dataset.name': 'cifar100'})
    (section,) = sections.read([tmp_path])
    told = page.plain(section).splitlines()[1:4]
    assert [line.partition(' points')[0] for line in told] == [
        'On digits, trained for 4 epochs: net, depth 8 has the smallest final test error, 18.00 %, 6.00',
        'On digits, trained for 40 steps: net, depth 8 has the smallest final test error, 16.00 %, 6.00',
        'On cifar100: The final test error of digits is 10.00 %.',
    ]
