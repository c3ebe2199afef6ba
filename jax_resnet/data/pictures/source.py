"""What every source of pictures offers: splits of encoded pictures, by index."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import NamedTuple, Protocol

from jax_resnet.data.splits import Splits


class Picture(NamedTuple):
    """An encoded picture: the bytes of a JPEG, PNG or WebP file, and its label."""

    encoded: bytes
    label: int


class Pictures(Protocol):
    """The pictures of a split, by index, from any thread.

    It can be pickled, so that other processes read it, too: it holds no open file, or opens it anew there.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Picture:
        """A picture. Raises DataError, which names it, where it cannot be read."""

    def name(self, index: int) -> str:
        """What a message calls a picture: its file, or the archive and its member."""


@dataclass(frozen=True)
class PictureSource(Splits):
    """A data set of encoded pictures.

    Attributes:
        pictures: by split name.
        fingerprint: differs where the pictures or their order may differ.
    """

    pictures: Mapping[str, Pictures]
    fingerprint: str

    @classmethod
    def of(
        cls, name: str, class_names: Sequence[str], pictures: Mapping[str, Pictures], fingerprint: str
    ) -> 'PictureSource':
        """A source whose splits are as long as their pictures are many."""
        infos = {s: SimpleNamespace(num_examples=len(of), shard_lengths=[len(of)]) for s, of in pictures.items()}
        return cls(name, tuple(class_names), infos, pictures, fingerprint)

    def read(self, spec: str) -> 'Pictures':
        """The pictures of a split string in TFDS's syntax: 'validation', 'train[:10%]+train[90%:]'.

        Raises:
            DataError: an unknown split, a slice outside it, or none left.
        """
        return Parts([(self.pictures[split], start, stop) for split, start, stop in self.ranges(spec)])


@dataclass(frozen=True)
class Parts:
    """Pictures that are parts of others, one after another.

    Attributes:
        parts: of each, the others, the first index in them, and the one after the last.
    """

    parts: Sequence[tuple[Pictures, int, int]]

    def __len__(self) -> int:
        return sum(stop - start for _, start, stop in self.parts)

    def __getitem__(self, index: int) -> Picture:
        pictures, at = self._find(index)
        return pictures[at]

    def name(self, index: int) -> str:
        """What a message calls a picture."""
        pictures, at = self._find(index)
        return pictures.name(at)

    def _find(self, index: int) -> tuple[Pictures, int]:
        for pictures, start, stop in self.parts:
            if 0 <= index < stop - start:
                return pictures, start + index
            index -= stop - start
        raise IndexError(index)
