"""Pictures as their files hold them, before they become levels."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from os import cpu_count

import numpy as np

from ..errors import UserError, some_of

NAMED = 20
"""Unreadable files that an error names."""
MOST_BYTES = 1 << 29
"""Of an image unpacked: a file that says more is refused before anything is unpacked."""
UNSTATED = 0
"""The value of white in files of floating-point numbers, which do not say it."""


class BadImageError(Exception):
    """A file that cannot be read as an image; the text says why."""


class BadImagesError(UserError):
    """Unreadable files, listed: (name, reason) pairs."""

    def __init__(self, bad: Sequence[tuple[str, str]]) -> None:
        self.bad = list(bad)
        noun = "image file cannot" if len(bad) == 1 else "image files cannot"
        names = some_of([f"{name} ({reason})" for name, reason in bad], NAMED)
        super().__init__(f"{len(bad):,} {noun} be read: {names} (--skip-bad-images leaves them out)")


def check_size(height: int, width: int, bytes_a_pixel: int) -> None:
    """Raises BadImageError where an image would not fit into memory unpacked."""
    if height * width * bytes_a_pixel > MOST_BYTES:
        most = MOST_BYTES // bytes_a_pixel
        raise BadImageError(f"{width:,} x {height:,} pixels; at most {most:,} pixels of this kind are read")


def check_values(values: np.ndarray, maximum: int, kind: str = "") -> None:
    """Raises BadImageError where integers do not lie within 0..maximum, or that is more than 16 bits."""
    if values.min() < 0 or values.max() > maximum or maximum > 65_535:
        raise BadImageError(f"values outside 0..65535{kind}")


@dataclass(frozen=True)
class Facts:
    """What a file's header says; `maximum` is the value of white (255, 65,535 for 16 bits, `UNSTATED`), `pictures` how
    many it holds (pages, frames), of which the first is read; `stacked` whether they are pages of one size; `cut` the
    bits of a value where the library that reads them keeps 8."""

    height: int
    width: int
    channels: int
    maximum: int
    pictures: int = 1
    stacked: bool = False
    cut: int | None = None


@dataclass(frozen=True)
class Picture:
    """Values 0..maximum, `[H, W, C]` with 1 or 3 channels; of any range where the maximum is `UNSTATED`."""

    values: np.ndarray
    maximum: int
    pictures: int = 1
    stacked: bool = False

    @property
    def facts(self) -> Facts:
        height, width, channels = self.values.shape
        return Facts(height, width, channels, self.maximum, self.pictures, self.stacked)


def threads() -> ThreadPoolExecutor:
    """Workers for decoding: Pillow releases the interpreter while it works."""
    return ThreadPoolExecutor(max_workers=min(8, cpu_count() or 1))


class Pictures(ABC):
    """A sequence of pictures, read when asked for."""

    sequential = False
    """Reads go forwards, one at a time (a stream, or batches of which one is in memory)."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def facts(self) -> list[Facts]:
        """Headers, of a sample where all are alike; unreadable ones are left out."""

    @abstractmethod
    def read(self, index: int) -> Picture:
        """One picture. Raises BadImageError."""


@dataclass
class ArrayPictures(Pictures):
    """Pictures in one array `[N, H, W, C]` of integers 0..maximum."""

    array: np.ndarray
    maximum: int = 255

    def __len__(self) -> int:
        return len(self.array)

    def facts(self) -> list[Facts]:
        _, height, width, channels = self.array.shape
        return [Facts(height, width, channels, self.maximum)] if len(self) else []

    def read(self, index: int) -> Picture:
        return Picture(self.array[index], self.maximum)


class Selected(Pictures):
    """Some rows of other pictures, in the order given."""

    def __init__(self, pictures: Pictures, rows: np.ndarray) -> None:
        self.pictures, self.rows, self.sequential = pictures, rows, pictures.sequential

    def __len__(self) -> int:
        return len(self.rows)

    def facts(self) -> list[Facts]:
        return self.pictures.facts()

    def read(self, index: int) -> Picture:
        return self.pictures.read(int(self.rows[index]))


class Joined(Pictures):
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


class AsStated(Pictures):
    """Pictures read as the user says: which value is white, and whether the first page of a stack will do."""

    def __init__(self, pictures: Pictures, white: float | None, first_page: bool) -> None:
        self.pictures, self.sequential = pictures, pictures.sequential
        self.white, self.first_page = white, first_page

    def __len__(self) -> int:
        return len(self.pictures)

    def facts(self) -> list[Facts]:
        return [replace(each, maximum=self._maximum(each.maximum)) for each in self.pictures.facts()]

    def read(self, index: int) -> Picture:
        picture = self.pictures.read(index)
        if picture.stacked and not self.first_page:
            raise BadImageError(
                f"{picture.pictures:,} pages; save each as a file of its own, or take the first: --data.pages first"
            )
        if picture.maximum == UNSTATED:
            return self._of_floats(picture.values)
        maximum = self._maximum(picture.maximum)
        if maximum != picture.maximum and picture.values.max() > maximum:
            raise BadImageError(f"the highest value is {picture.values.max()}, above the white of {maximum}")
        return replace(picture, maximum=maximum)

    def _maximum(self, maximum: int) -> int:
        """`white` where it is a whole number that the file's depth goes beyond."""
        if maximum == UNSTATED:
            return 65_535
        return int(self.white) if self.white is not None and 1 <= self.white < maximum else maximum

    def _of_floats(self, values: np.ndarray) -> Picture:
        if self.white is None:
            raise BadImageError(
                "floating-point values; integers are needed, or the value of white (--data.white 1, say)"
            )
        low, high = float(values.min()), float(values.max())
        if not (low >= 0 and high <= self.white):  # also for what is no number
            raise BadImageError(
                f"values from {low:g} to {high:g}; accepted are 0 to {self.white:g} (--data.white)"
            )
        scaled = values.astype(np.float64) * (65_535 / self.white)
        return Picture(np.floor(scaled + 0.5).astype(np.int32), 65_535)
