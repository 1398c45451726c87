"""What a source of images hands over: its splits, not yet decoded."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..errors import UserError
from .raw import Joined, Pictures, Selected

SPLITS = ("train", "validation", "test")


@dataclass
class Part:
    """The pictures of one split, with the word that names each one's class ('' where unknown)."""

    pictures: Pictures
    words: list[str]
    names: list[str]
    groups: list[str] | None = None

    def __post_init__(self) -> None:
        for text in (*self.words, *self.names):
            try:
                text.encode()
            except UnicodeEncodeError:  # pictures and tables could not hold it, at the end of the work
                raise UserError(f"the name {text!r} is not UTF-8: rename the file or the folder") from None

    def __len__(self) -> int:
        return len(self.names)

    def select(self, rows: np.ndarray) -> "Part":
        """Some of the pictures, in the order given."""

        def pick(values: list[str]) -> list[str]:
            return [values[row] for row in rows]

        groups = None if self.groups is None else pick(self.groups)
        return Part(Selected(self.pictures, rows), pick(self.words), pick(self.names), groups)

    def divided(self, splits: Sequence[str]) -> dict[str, "Part"]:
        """The pictures of each split that has some, given the split of each picture."""
        rows = {split: np.flatnonzero(np.array(splits) == split) for split in SPLITS}
        return {split: self.select(rows[split]) for split in SPLITS if len(rows[split])}


def join(parts: list[Part]) -> Part:
    """Several parts, one after the other."""
    if len(parts) == 1:
        return parts[0]
    groups = None
    if all(part.groups is not None for part in parts):
        groups = [group for part in parts for group in part.groups or []]
    words = [word for part in parts for word in part.words]
    names = [name for part in parts for name in part.names]
    return Part(Joined([part.pictures for part in parts]), words, names, groups)


@dataclass
class Collection:
    """A data set as found: splits 'train', 'validation', 'test', or 'all' where it is not divided yet."""

    name: str
    splits: dict[str, Part]
    names: tuple[str, ...] | None = None
    """Class names and their order, where the source itself states them."""
    notices: list[str] = field(default_factory=list)
    natural_size: tuple[int, int] | None = None
    """The size at which the set is used, whatever the files' own."""
    test_share: float = 0.0
    """Share of 'all' that becomes a test split."""
    hint: str = ""
    """What the user can do where there is nothing to train on."""
    indices_allowed: bool = True
    """A class may also be given by its index (not in the sets of the literature: their '3' is a name)."""

    @property
    def parts(self) -> list[Part]:
        return list(self.splits.values())

    @property
    def words(self) -> set[str]:
        """All the words that name classes."""
        return {word for part in self.parts for word in part.words}

    def each(self, change: Callable[[Part], Part]) -> "Collection":
        """The same with every part changed."""
        return replace(self, splits={split: change(part) for split, part in self.splits.items()})


class Source(ABC):
    """One kind of DATA, as a `DataConfig` says. `files` is asked first: when none of them changed, the cached copy
    serves."""

    name: str

    def files(self) -> list[Path]:
        """Everything that the answer depends upon; empty where caching does not pay."""
        return []

    def validates(self) -> bool:
        """Whether the data come with a validation split."""
        return False

    @abstractmethod
    def read(self) -> Collection:
        """The collection. Raises UserError for whatever the user has to mend."""
