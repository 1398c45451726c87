"""Many pictures -> levels: all at once in threads, or each when it is asked for."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor

from ..progress import track
from .preparation import Preparation
from .raw import ArrayPictures, BadImageError, BadImagesError, Pictures, Selected, threads

BLOCK = 2048
"""Pictures in flight at a time, so that the queue of a large set stays small."""

Allocate = Callable[[tuple[int, ...], np.dtype], np.ndarray]


def decode_all(
    pictures: Pictures,
    names: list[str],
    preparation: Preparation,
    skip_bad: bool,
    allocate: Allocate = np.empty,
    what: str = "reading images",
) -> tuple[np.ndarray, list[int], list[str]]:
    """Levels `[N, C, H, W]`, the rows that could be read, and the names of those that could not.

    Raises UserError naming every unreadable file unless `skip_bad`.
    """
    out = allocate((len(pictures), preparation.channels, *preparation.size), preparation.dtype)
    bad = _fill(out, pictures, preparation, what)
    if bad and not skip_bad:
        raise BadImagesError([(names[row], reason) for row, reason in bad.items()])
    good = [row for row in range(len(out)) if row not in bad]
    for target, row in enumerate(good if bad else []):  # in place: the array may be a file larger than memory
        out[target] = out[row]
    return out[: len(good)], good, [names[row] for row in bad]


class LazyLevels:
    """Levels `[N, C, H, W]` of pictures, decoded when they are indexed: any number of images in bounded memory.

    What cannot be read raises BadImagesError, naming it, unless `skip_bad`: then it is all zeros, and `unreadable`
    tells its row and what is wrong with it.
    """

    def __init__(
        self, pictures: Pictures, names: Sequence[str], preparation: Preparation, skip_bad: bool
    ) -> None:
        self.pictures, self.names, self.preparation, self.skip_bad = pictures, names, preparation, skip_bad
        self.unreadable: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.names)

    @property
    def shape(self) -> torch.Size:
        return torch.Size([len(self), self.preparation.channels, *self.preparation.size])

    def __getitem__(self, index: "slice | Tensor") -> Tensor:
        rows = torch.arange(len(self))[index].reshape(-1).numpy()
        out = np.zeros((len(rows), *self.shape[1:]), self.preparation.dtype)
        unread = _fill(out, Selected(self.pictures, rows), self.preparation)
        bad = {int(rows[index]): reason for index, reason in unread.items()}
        self.unreadable |= bad
        if bad and not self.skip_bad:
            raise BadImagesError([(self.names[row], reason) for row, reason in bad.items()])
        return torch.from_numpy(out)


def too_many_to_decode_at_once(pictures: Pictures) -> bool:
    """Whether pictures are better decoded when asked for. Few are decoded before the work, so that every unreadable
    file is named at once; a stream can only be read in its order."""
    return len(pictures) > BLOCK and not pictures.sequential


def _fill(
    out: np.ndarray, pictures: Pictures, preparation: Preparation, what: str | None = None
) -> dict[int, str]:
    """Write the levels of each picture; returns the rows that cannot be read, and why. `what` names the work."""
    if _fill_from_array(out, pictures, preparation):
        return {}
    bad: dict[int, str] = {}
    results = enumerate(_decoded(pictures, preparation))
    for row, result in track(results, what or "", total=len(pictures), shown=what is not None):
        if isinstance(result, BadImageError):
            bad[row] = str(result)
        else:
            out[row] = result
    return bad


def _fill_from_array(out: np.ndarray, pictures: Pictures, preparation: Preparation) -> bool:
    """Whole blocks at once where the pictures are an array already and keep their pixels; returns whether they do."""
    rows = pictures.rows if isinstance(pictures, Selected) else np.arange(len(pictures))
    source = pictures.pictures if isinstance(pictures, Selected) else pictures
    if not isinstance(source, ArrayPictures) or not all(map(preparation.untouched, source.facts())):
        return False
    for start in range(0, len(rows), BLOCK):
        block = source.array[rows[start : start + BLOCK]]
        out[start : start + BLOCK] = preparation.quantised(block, source.maximum).transpose(0, 3, 1, 2)
    return True


def _decoded(pictures: Pictures, preparation: Preparation) -> Iterator[np.ndarray | BadImageError]:
    def attempt(row: int) -> np.ndarray | BadImageError:
        try:
            return preparation.apply(pictures.read(row))
        except BadImageError as error:
            return error

    with nullcontext() if pictures.sequential else threads() as pool:
        for start in range(0, len(pictures), BLOCK):
            rows = range(start, min(start + BLOCK, len(pictures)))
            yield from pool.map(attempt, rows) if pool else map(attempt, rows)
