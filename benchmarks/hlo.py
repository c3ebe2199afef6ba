"""Counts what a compiled program for a GPU does in a step, from what XLA wrote of it.

A step is a turn of the program's outermost loop, or the whole program where it has no loop over steps.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

BYTES = {'pred': 1, 'bf16': 2} | {f'{kind}{bits}': bits // 8 for kind in 'suf' for bits in (8, 16, 32, 64)}
COLLECTIVES = ('all-reduce', 'all-gather', 'reduce-scatter', 'collective-permute', 'all-to-all')
NO_KERNEL = {
    'parameter', 'constant', 'tuple', 'get-tuple-element', 'bitcast', 'after-all', 'partition-id', 'replica-id',
}  # fmt: skip


class Instruction(NamedTuple):
    """A line of a computation: its name, the shape of its result, its operation, and the rest of the line."""

    name: str
    shape: str
    operation: str
    rest: str

    def called(self, *keys: str) -> list[str]:
        """The computations that it names after `keys`."""
        return re.findall(rf'(?:{"|".join(keys)})=%?([\w.\-]+)', self.rest)

    @property
    def kind(self) -> str:
        """What its kernel is: the operation, and of a fusion or a call into a library, which."""
        if self.operation == 'custom-call':
            match = re.search(r'custom_call_target="([^"]+)"', self.rest)
            return match[1] if match else self.operation
        return 'fusion ' + re.sub(r'[.\d]+$', '', self.name) if self.operation == 'fusion' else self.operation

    def operands(self, shapes: dict[str, str]) -> Iterator[str]:
        """Their shapes, from those of the names."""
        for name, index in re.findall(r'%([\w.\-]+)(?:#(\d+))?', self.rest.split('), ')[0]):
            shape = shapes.get(name, '')
            yield re.findall(r'\w+\[[\d,]*\]', shape)[int(index)] if index else shape


@dataclass
class Count:
    """Of a step.

    Attributes:
        kernels: by kind, how many there are.
        bytes: of each kernel, what it reads and writes.
        collectives: of each exchange between devices, the bytes of its result.
        inner_turns: of loops inside.
    """

    kernels: Counter[str] = field(default_factory=Counter)
    bytes: list[int] = field(default_factory=list)
    collectives: list[int] = field(default_factory=list)
    inner_turns: int = 0


def count(text: str, has_loop: bool = True) -> Count:
    """From the text of an optimized module; without a loop over steps, it is a step as a whole."""
    computations, entry = _computations(text)
    found = Count()
    _walk(computations, entry, 1, not has_loop, found)
    return found


def size(shape: str) -> int:
    """Bytes of a shape such as 'bf16[128,16]{1,0}', or of all in a tuple's."""
    total = 0
    for kind, sides in re.findall(r'(\w+)\[([\d,]*)\]', shape):
        numbers = BYTES.get(kind, 0)
        for side in filter(None, sides.split(',')):
            numbers *= int(side)
        total += numbers
    return total


def _computations(text: str) -> tuple[dict[str, list[Instruction]], str]:
    found: dict[str, list[Instruction]] = {}
    name = entry = ''
    for line in text.splitlines():
        head = re.match(r'^(ENTRY )?%?([\w.\-]+) \(.*\) -> .*\{$', line)
        if head:
            name = head[2]
            found[name], entry = [], name if head[1] else entry
        elif line.startswith('}'):
            name = ''
        elif name:
            match = re.match(r'(?:ROOT )?%?([\w.\-]+) = (\(.*?\)(?= [\w\-]+\()|\S+) ([\w\-]+)\((.*)', line.strip())
            if match:
                found[name].append(Instruction(*match.groups()))
    return found, entry


def _walk(computations: dict[str, list[Instruction]], name: str, times: int, in_step: bool, found: Count) -> None:
    """Adds up the computation of that name, which runs so many times a step."""
    shapes: dict[str, str] = {}
    for one in computations[name]:
        shapes[one.name] = one.shape
        if one.operation == 'while':
            known = re.search(r'known_trip_count":\{"n":"(\d+)"', one.rest)
            turns = int(known[1]) if in_step and known else 1
            found.inner_turns += times * turns if in_step else 0
            _walk(computations, one.called('body')[0], times * turns, True, found)
        elif one.operation in ('call', 'conditional', 'async-start'):
            for called in one.called('to_apply', 'calls', 'true_computation', 'false_computation'):
                if called in computations:
                    _walk(computations, called, times, in_step, found)
        elif in_step and one.operation not in NO_KERNEL and not one.operation.endswith('-done'):
            found.kernels[one.kind] += times
            found.bytes += times * [size(one.shape) + sum(map(size, one.operands(shapes)))]
            if one.operation.startswith(COLLECTIVES):
                found.collectives += times * [size(one.shape)]


class Launches(NamedTuple):
    """What the host launches in a step: kernels and graphs, and of these the graphs."""

    all: int
    graphs: int
    loop_is_a_graph: bool


def launches(thunks: str, has_loop: bool = True) -> Launches:
    """From the text of a program's thunks, its list of launches, indented by what contains what."""
    listed = [(len(m[1]), m[2]) for m in map(re.compile(r'^( *)\d+: (k\w+)').match, thunks.splitlines()) if m]
    graph: int | None = None
    loop: int | None = None if has_loop else -1
    counts: Counter[str] = Counter()
    for indent, kind in listed:
        graph = None if graph is not None and indent <= graph else graph
        if loop is None:
            if kind == 'kWhile':
                if graph is not None:
                    return Launches(0, 0, True)
                loop = indent
        elif indent <= loop:
            break
        elif graph is None and kind not in ('kWhile', 'kSequential'):
            counts[kind] += 1
        if kind == 'kCommandBuffer' and graph is None:
            graph = indent
    return Launches(counts.total(), counts['kCommandBuffer'], False)


def read(folder: Path, module: str, has_loop: bool = True) -> tuple[Count, Launches]:
    """Of the largest module of that name in a folder that XLA's `--xla_dump_to` named."""
    file = max(folder.glob(f'*{module}*gpu_after_optimizations.txt'), key=lambda f: f.stat().st_size)
    thunks = folder / f'{re.sub(r"[.]sm_.*", "", file.name)}.thunk_sequence_after_thunk_passes.txt'
    return count(file.read_text(), has_loop), launches(thunks.read_text(), has_loop)
