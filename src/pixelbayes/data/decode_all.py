"""Many pictures -> one integer array, in threads."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext

import numpy as np

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
    kind = np.dtype(np.uint8 if preparation.levels <= 256 else np.int32)
    out = allocate((len(pictures), preparation.channels, *preparation.size), kind)
    if fill_from_array(pictures, preparation, out):
        return out, list(range(len(out))), []
    bad: dict[int, str] = {}
    for row, result in track(_results(pictures, preparation), what, total=len(pictures)):
        if isinstance(result, BadImageError):
            bad[row] = str(result)
        else:
            out[row] = result
    if bad and not skip_bad:
        raise BadImagesError([(names[row], reason) for row, reason in bad.items()])
    kept = [row for row in range(len(out)) if row not in bad]
    for place, row in enumerate(kept if bad else []):  # in place: the array may be a file larger than memory
        out[place] = out[row]
    return out[: len(kept)], kept, [names[row] for row in bad]


def _results(
    pictures: Pictures, preparation: Preparation
) -> Iterator[tuple[int, np.ndarray | BadImageError]]:
    def attempt(row: int) -> np.ndarray | BadImageError:
        try:
            return preparation.apply(pictures.read(row))
        except BadImageError as error:
            return error

    with nullcontext() if pictures.sequential else threads() as pool:
        for start in range(0, len(pictures), BLOCK):
            rows = range(start, min(start + BLOCK, len(pictures)))
            yield from zip(rows, pool.map(attempt, rows) if pool else map(attempt, rows), strict=True)


def fill_from_array(pictures: Pictures, preparation: Preparation, out: np.ndarray) -> bool:
    """Whole blocks at once where the pictures are an array already and keep their pixels."""
    rows = pictures.rows if isinstance(pictures, Selected) else np.arange(len(pictures))
    source = pictures.pictures if isinstance(pictures, Selected) else pictures
    if not isinstance(source, ArrayPictures) or not all(map(preparation.untouched, source.facts())):
        return False
    for start in range(0, len(rows), BLOCK):
        block = source.array[rows[start : start + BLOCK]]
        out[start : start + BLOCK] = preparation.quantised(block, source.maximum).transpose(0, 3, 1, 2)
    return True
