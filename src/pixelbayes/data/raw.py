"""Pictures as their files hold them, before they become levels."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from typing import Protocol

import numpy as np

from ..errors import UserError
from ..progress import track

NAMED = 20
"""Unreadable files that an error names."""


class BadImageError(Exception):
    """A file that cannot be read as an image; the text says why."""


@dataclass(frozen=True)
class Facts:
    """What a file's header says; `maximum` is the value of white (255, or 65,535 for 16 bits), `pictures` how many
    it holds (pages, frames), of which the first is read."""

    height: int
    width: int
    channels: int
    maximum: int
    pictures: int = 1


@dataclass(frozen=True)
class Picture:
    """Values 0..maximum, `[H, W, C]` with 1 or 3 channels."""

    values: np.ndarray
    maximum: int

    @property
    def facts(self) -> Facts:
        height, width, channels = self.values.shape
        return Facts(height, width, channels, self.maximum)


class Pictures(Protocol):
    """A sequence of pictures, read when asked for."""

    @property
    def sequential(self) -> bool:
        """Reads go forwards, one at a time (a stream, or batches of which one is in memory)."""
        ...

    def __len__(self) -> int: ...

    def facts(self) -> list[Facts]:
        """Headers, of a sample where all are alike; unreadable ones are left out."""
        ...

    def read(self, index: int) -> Picture:
        """One picture. Raises BadImageError."""
        ...


def threads() -> ThreadPoolExecutor:
    """Workers for decoding: Pillow releases the interpreter while it works."""
    return ThreadPoolExecutor(max_workers=min(8, cpu_count() or 1))


def gather_facts(pictures: Pictures, rows: Sequence[int], header: "HeaderReader", what: str) -> list[Facts]:
    """Headers of the given rows, read in threads; unreadable ones are left out."""

    def attempt(row: int) -> Facts | None:
        try:
            return header(row)
        except BadImageError:
            return None

    with threads() as pool:
        found = list(track(pool.map(attempt, rows, chunksize=64), what, total=len(rows)))
    return [facts for facts in found if facts is not None]


class HeaderReader(Protocol):
    def __call__(self, index: int) -> Facts: ...


@dataclass
class ArrayPictures:
    """Pictures in one array `[N, H, W, C]` of integers 0..maximum."""

    array: np.ndarray
    maximum: int = 255
    sequential: bool = False

    def __len__(self) -> int:
        return len(self.array)

    def facts(self) -> list[Facts]:
        _, height, width, channels = self.array.shape
        return [Facts(height, width, channels, self.maximum)] if len(self) else []

    def read(self, index: int) -> Picture:
        return Picture(self.array[index], self.maximum)


@dataclass
class Selected:
    """Some rows of other pictures, in the order given."""

    pictures: Pictures
    rows: np.ndarray

    @property
    def sequential(self) -> bool:
        return self.pictures.sequential

    def __len__(self) -> int:
        return len(self.rows)

    def facts(self) -> list[Facts]:
        return self.pictures.facts()

    def read(self, index: int) -> Picture:
        return self.pictures.read(int(self.rows[index]))


class Joined:
    """Several sequences of pictures, one after the other."""

    def __init__(self, parts: Sequence[Pictures]) -> None:
        self.parts = list(parts)
        self.sequential = any(part.sequential for part in parts)
        self._ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def facts(self) -> list[Facts]:
        return [facts for part in self.parts for facts in part.facts()]

    def read(self, index: int) -> Picture:
        part = int(np.searchsorted(self._ends, index, side="right"))
        return self.parts[part].read(index - (int(self._ends[part - 1]) if part else 0))


class BadImagesError(UserError):
    """Unreadable files, listed: (name, reason) pairs."""

    def __init__(self, found: Sequence[tuple[str, str]]) -> None:
        self.found = list(found)
        shown = ", ".join(f"{name} ({reason})" for name, reason in found[:NAMED])
        more = f" and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
        noun = "image file cannot" if len(found) == 1 else "image files cannot"
        super().__init__(f"{len(found):,} {noun} be read: {shown}{more} (--skip-bad-images leaves them out)")
