"""The page of `on_a_gpu.py`: what was found, as Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

PEERS = {
    'PyTorch, AMP, one H200': 3079,
    'PyTorch, TF32, one H200': 2259,
    "MLPerf's record, a GPU": 7990,
    'counted bound here, bfloat16': 13_046,
    'counted bound here, TF32': 6_482,
}
"""Images a second of ImageNet's ResNet-50 in training, published or counted (benchmarks/README.md)."""

LEAST_GAIN = 0.1
"""What is only counted so far and brings less than this share of the speed, goes."""


def page(results: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """Returns the page.

    Args:
        results: what the parts have found: how each ended, its seconds, and `found`.
        titles: the titles of all parts.
    """
    sections = ['# The first quarter of an hour on a GPU', *parts(results, titles)]
    for name, make in {'machine': machine, 'graphs': graphs, 'trains': trains, 'options': options}.items():
        if found := results.get(name, {}).get('found'):
            sections += [f'## {titles[name]}', *make(found)]
    if rows := [one['found'] for name, one in results.items() if name.startswith('speed') and one['found']]:
        sections += ['## How fast, beside PyTorch', *speeds(rows)]
    for name, one in results.items():
        if name.startswith('profile') and one['found']:
            sections += [f'## The kernels of {titles[name]}', *kernels(one['found'])]
    if found := results.get('runs', {}).get('found'):
        sections += ['## Runs at full length', *runs(found)]
    return '\n\n'.join(sections) + '\n'


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Returns a table. All columns but the first are numbers."""
    lines = [f'| {" | ".join(head)} |', f'|---|{"---:|" * (len(head) - 1)}']
    return '\n'.join([*lines, *(f'| {" | ".join(map(str, row))} |' for row in rows)])


def parts(results: Mapping[str, Any], titles: Mapping[str, str]) -> list[str]:
    """How each part ended."""
    rows = [
        (
            titles.get(name, name) + ('' if one.get('graphs', True) else ', without CUDA graphs'),
            f'{one["seconds"]:.0f}',
            one['ended'].replace('|', '/'),
        )
        for name, one in results.items()
    ]
    return [table(['part', 'seconds', 'ended'], rows)]


def machine(found: Mapping[str, Any]) -> list[str]:
    """Versions and the device."""
    lines = [f'{found.get("time")}; commit `{found.get("commit")}`; {found.get("device")}; {found.get("cores")} cores']
    lines.append(', '.join(f'{name} {version}' for name, version in found.get('versions', {}).items()))
    if found.get('gpu, idle'):
        after = found.get('gpu, after matrix products', {})
        rows = [(name, value, after.get(name, '')) for name, value in found['gpu, idle'].items()]
        lines.append(table(['GPU', 'idle', 'after matrix products'], rows))
    if rate := found.get('multiply-adds a second, bfloat16'):
        lines.append(f'A matrix product in bfloat16: {2 * rate / 1e12:,.1f} TFLOP/s.')
    if rate := found.get('bytes a second, copied'):
        lines.append(f'A copy: {rate / 1e9:,.0f} GB/s.')
    return lines


def graphs(found: Mapping[str, Any]) -> list[str]:
    """Whether CUDA graphs work."""
    return ['They work.' if found['work'] else '**They do not work.** All that follows is without them.']


def trains(found: Mapping[str, Any]) -> list[str]:
    """Losses and bits."""
    lines = []
    if loss := found.get('loss'):
        falls = 'falls' if loss[-1][1] < loss[0][1] else '**does not fall**'
        listed = ', '.join(f'{value:.3f} (step {step})' for step, value in loss)
        lines.append(f'ResNet-20 on digits: the training loss {falls}: {listed}.')
    columns = {name: values for name, values in found.items() if name.startswith('first losses') and values}
    if columns:
        rows = [
            (step, *(f'{value:.6f}' for value in values))
            for step, values in enumerate(zip(*columns.values(), strict=False), start=1)
        ]
        lines.append(table(['step', *columns], rows))
    expected = found.get('bits, default')
    rows = [
        (name.removeprefix('bits, '), value or 'did not end', 'yes' if value and value == expected else 'no')
        for name, value in found.items()
        if name.startswith('bits')
    ]
    if rows:
        lines.append(
            f'With `precision.deterministic`; stopped and continued from step {found.get("continued from step")}:'
        )
        lines.append(table(['run', 'digest', 'the same bits as by default'], rows))
    return lines


def options(found: Mapping[str, Any]) -> list[str]:
    """Steps a second with each option off."""
    seconds, starts = found['seconds'], found.get('start_seconds', {})
    default = seconds['default']
    rows = []
    for name, value in seconds.items():
        gain, is_off = value / default - 1, name.startswith('without')
        verdict = ('stays' if gain >= LEAST_GAIN else 'goes') if is_off else ''
        rows.append(
            (name, f'{1 / value:,.0f}', f'{gain:+.1%}' if is_off else '', verdict, f'{starts.get(name, 0):.0f}')
        )
    head = ['ResNet-20, batch 128, float32', 'steps/s', 'what it brings', 'it', 'start, s']
    return [table(head, rows), f'Medians of {found.get("rounds")} rounds, in turn.']


def speeds(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Images a second, and PyTorch's."""
    cells = []
    for one in rows:
        rates = {name: one['batch_size'] / seconds for name, seconds in one['seconds'].items()}
        rate, starts = rates.pop('jax_resnet'), one.get('start_seconds', {})
        peers = [f'{name} {value:,.0f} (x {rate / value:.2f})' for name, value in rates.items()]
        cells.append((
            f'{one["network"]}, {one["dtype"]}, batch {one["batch_size"]}, {one["size"]} pixels', f'{rate:,.0f}',
            f'{1e3 * one["seconds"]["jax_resnet"]:.3f}', '; '.join(peers), f'{one.get("of_matrix_rate", 0):.0%}',
            f'{one.get("of_copy_rate", 0):.0%}', '; '.join(f'{name} {value:.0f}' for name, value in starts.items()),
        ))  # fmt: skip
    head = ['network', 'images/s', 'ms a step', 'PyTorch, images/s', 'of matrix rate', 'of copy rate', 'start, s']
    anchors = ', '.join(f'{name} {value:,}' for name, value in PEERS.items())
    text = (
        'The start is everything up to the end of the first call. A program that is in the cache is not compiled again.'
    )
    return [table(head, cells), text, f'Beside these, for ResNet-50 at 224 pixels: {anchors} images/s.']


def kernels(found: Mapping[str, Any]) -> list[str]:
    """The kernels that take longest, and the gaps."""
    rows = [
        (f'`{name[:80]}`'.replace('|', '/'), f'{ms:.3f}', f'{number:.0f}') for name, ms, number in found['kernels'][:10]
    ]
    text = (
        f'{found["count"]:.0f} kernels in {found["busy"]:.3f} ms; gaps of {found["gaps"]:.3f} ms in the trace, for '
        f'which XLA uses no CUDA graphs; a step without a trace takes {found["step"]:.3f} ms.'
    )
    return [table(['kernel', 'ms a step', 'number'], rows), text]


def runs(found: Mapping[str, Any]) -> list[str]:
    """The runs at full length."""
    rows = []
    for name, one in found.items():
        if not isinstance(one, Mapping):
            rows.append((name, '', '', '', one))
            continue
        error = 'cut' if one['error'] is None else f'{one["error"]:.2f}'
        note = one.get('ended') or (f'in {one["in"]}' if one.get('in') else 'too large to come back')
        rows.append((name, error, f'{one["step"]:,}', f'{one["seconds"]:.0f}', note))
    return [table(['run', 'test error, %', 'step', 'seconds', ''], rows)]
