"""Counts what a compiled GPU program does in a step, from the text files that XLA dumps.

A step is one iteration of the program's outermost loop, or the whole program if it has no loop over steps.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

BYTES = {'pred': 1, 'bf16': 2} | {f'{letter}{bits}': bits // 8 for letter in 'suf' for bits in (8, 16, 32, 64)}
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
        """Returns the computations that the line names after `keys`, such as `body=`."""
        return re.findall(rf'(?:{"|".join(keys)})=%?([\w.\-]+)', self.rest)

    @property
    def kernel(self) -> str:
        """The name of its kernel: the operation; for a fusion, its name, too; for a library call, the function."""
        if self.operation == 'custom-call':
            match = re.search(r'custom_call_target="([^"]+)"', self.rest)
            return match[1] if match else self.operation
        return 'fusion ' + re.sub(r'[.\d]+$', '', self.name) if self.operation == 'fusion' else self.operation

    def operands(self, shapes: dict[str, str]) -> Iterator[str]:
        """Yields the shapes of the operands, looked up by name in `shapes`."""
        for name, index in re.findall(r'%([\w.\-]+)(?:#(\d+))?', self.rest.split('), ')[0]):
            shape = shapes.get(name, '')
            yield re.findall(r'\w+\[[\d,]*\]', shape)[int(index)] if index else shape


@dataclass
class Count:
    """Counts for one step.

    Attributes:
        kernels: the number of kernels, by name.
        bytes: for each kernel, the bytes that it reads and writes.
        collectives: for each exchange between devices, the bytes of its result.
        inner_iterations: the number of iterations of loops inside the step.
    """

    kernels: Counter[str] = field(default_factory=Counter)
    bytes: list[int] = field(default_factory=list)
    collectives: list[int] = field(default_factory=list)
    inner_iterations: int = 0


def count(text: str, has_loop: bool = True) -> Count:
    """Counts from the text of an optimized module. Without a loop over steps, the whole module is one step."""
    computations, entry = _computations(text)
    found = Count()
    _walk(computations, entry, 1, not has_loop, found)
    return found


def size(shape: str) -> int:
    """Returns the bytes of a shape such as 'bf16[128,16]{1,0}', or the sum over the shapes of a tuple."""
    total = 0
    for dtype, sides in re.findall(r'(\w+)\[([\d,]*)\]', shape):
        numbers = BYTES.get(dtype, 0)
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
    """Adds the computation `name`, which runs `times` times in a step, to `found`."""
    shapes: dict[str, str] = {}
    for instruction in computations[name]:
        shapes[instruction.name] = instruction.shape
        if instruction.operation == 'while':
            known = re.search(r'known_trip_count":\{"n":"(\d+)"', instruction.rest)
            iterations = int(known[1]) if in_step and known else 1
            found.inner_iterations += times * iterations if in_step else 0
            _walk(computations, instruction.called('body')[0], times * iterations, True, found)
        elif instruction.operation in ('call', 'conditional', 'async-start'):
            for called in instruction.called('to_apply', 'calls', 'true_computation', 'false_computation'):
                if called in computations:
                    _walk(computations, called, times, in_step, found)
        elif in_step and instruction.operation not in NO_KERNEL and not instruction.operation.endswith('-done'):
            found.kernels[instruction.kernel] += times
            found.bytes += times * [size(instruction.shape) + sum(map(size, instruction.operands(shapes)))]
            if instruction.operation.startswith(COLLECTIVES):
                found.collectives += times * [size(instruction.shape)]


class Launches(NamedTuple):
    """What the host launches in a step.

    Attributes:
        all: the number of kernels and graphs.
        graphs: the number of graphs.
        loop_is_a_graph: whether the loop over steps is inside a graph, so that the host launches nothing.
    """

    all: int
    graphs: int
    loop_is_a_graph: bool


def launches(thunks: str, has_loop: bool = True) -> Launches:
    """Counts from the text of a program's thunks, a list of launches, in which indentation shows nesting."""
    listed = [(len(m[1]), m[2]) for m in map(re.compile(r'^( *)\d+: (k\w+)').match, thunks.splitlines()) if m]
    graph: int | None = None
    loop: int | None = None if has_loop else -1
    counts: Counter[str] = Counter()
    for indent, thunk in listed:
        graph = None if graph is not None and indent <= graph else graph
        if loop is None:
            if thunk == 'kWhile':
                if graph is not None:
                    return Launches(0, 0, True)
                loop = indent
        elif indent <= loop:
            break
        elif graph is None and thunk not in ('kWhile', 'kSequential'):
            counts[thunk] += 1
        if thunk == 'kCommandBuffer' and graph is None:
            graph = indent
    return Launches(counts.total(), counts['kCommandBuffer'], False)


def read(folder: Path, module: str, has_loop: bool = True) -> tuple[Count, Launches]:
    """Counts for the largest module of that name in `folder`, which XLA's `--xla_dump_to` has filled."""
    file = max(folder.glob(f'*{module}*gpu_after_optimizations.txt'), key=lambda f: f.stat().st_size)
    name = re.sub(r'[.]sm_.*', '', file.name)
    thunks = folder / f'{name}.thunk_sequence_after_thunk_passes.txt'
    if not thunks.exists():  # no pass has changed them: without CUDA graphs
        thunks = folder / f'{name}.thunk_sequence.txt'
    return count(file.read_text(), has_loop), launches(thunks.read_text(), has_loop)
