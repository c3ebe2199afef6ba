"""The interface of all picture sources: splits of encoded pictures, by index."""

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
    """The pictures of a split, by index. All threads may read them.

    It can be pickled, so that other processes can read it too. The copy opens its files again.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Picture:
        """Reads a picture. Raises DataError, which names it, if it cannot be read."""

    def name(self, index: int) -> str:
        """Name of a picture in messages: its file, or the archive and the member."""


@dataclass(frozen=True)
class PictureSource(Splits):
    """A data set of encoded pictures.

    Attributes:
        pictures: pictures of each split, by the split's name.
        fingerprint: differs for data sets whose pictures or order may differ.
    """

    pictures: Mapping[str, Pictures]
    fingerprint: str

    @classmethod
    def from_pictures(
        cls, name: str, class_names: Sequence[str], pictures: Mapping[str, Pictures], fingerprint: str
    ) -> 'PictureSource':
        """Makes a source. The length of each split is its number of pictures."""
        counts = {split: len(split_pictures) for split, split_pictures in pictures.items()}
        infos = {split: SimpleNamespace(num_examples=n, shard_lengths=[n]) for split, n in counts.items()}
        return cls(name, tuple(class_names), infos, pictures, fingerprint)

    def read(self, spec: str) -> 'Pictures':
        """The pictures of a split in TFDS's syntax, such as 'validation' or 'train[:10%]+train[90%:]'.

        Raises:
            DataError: the split is unknown, a slice is outside it, or no pictures remain.
        """
        return Parts([(self.pictures[split], start, stop) for split, start, stop in self.ranges(spec)])


@dataclass(frozen=True)
class Parts:
    """A concatenation of slices of other pictures.

    Attributes:
        parts: slices; each has the pictures, the first index, and the index after the last.
    """

    parts: Sequence[tuple[Pictures, int, int]]

    def __len__(self) -> int:
        return sum(stop - start for _, start, stop in self.parts)

    def __getitem__(self, index: int) -> Picture:
        pictures, position = self._find(index)
        return pictures[position]

    def name(self, index: int) -> str:
        """Name of a picture in messages."""
        pictures, position = self._find(index)
        return pictures.name(position)

    def _find(self, index: int) -> tuple[Pictures, int]:
        for pictures, start, stop in self.parts:
            if 0 <= index < stop - start:
                return pictures, start + index
            index -= stop - start
        raise IndexError(index)
