"""Which pixels of an image are known: a region in words, or a mask."""

import re
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError

KnownLike = str | Tensor | np.ndarray | Sequence[Sequence[bool]]
"""A region in words (see `region`), or a mask `(H, W)` or `(n, H, W)`, true where a pixel is known."""

UPTO = re.compile(r"upto:(\d+),(\d+)")
SPAN = re.compile(r"(-?\d*):(-?\d*)|(-?\d+)")
FORMS = "ROWS,COLUMNS such as 0:16,: (rows 0 to 15, all columns), or upto:ROW,COLUMN"


def as_mask(known: KnownLike, count: int, height: int, width: int) -> Tensor:
    """Returns the mask `(count, H, W)`, bool, of a region or a mask; raises `UserError` for what is neither."""
    if isinstance(known, str):
        return region(known, height, width).expand(count, height, width)
    try:
        mask = known if isinstance(known, Tensor) else torch.from_numpy(np.array(known))
    except (TypeError, ValueError) as error:
        raise UserError(f"what is known is a mask or {FORMS}, not {known!r}") from error
    if mask.dtype != torch.bool and not (
        not mask.is_floating_point() and bool(((mask == 0) | (mask == 1)).all())
    ):
        raise UserError(f"a mask of what is known holds true and false, not {mask.dtype} values")
    if tuple(mask.shape) not in ((height, width), (count, height, width)):
        raise UserError(
            f"a mask of what is known is {(height, width)} or {(count, height, width)}, not {tuple(mask.shape)}"
        )
    return mask.bool().expand(count, height, width)


def region(text: str, height: int, width: int) -> Tensor:
    """Returns the mask `(H, W)` of a region: rows and columns as Python's slices, or all before a pixel.

    Raises `UserError` for other words, and where the region is empty or outside the image.

    >>> region("upto:1,1", 2, 3).int().tolist()
    [[1, 1, 1], [1, 0, 0]]
    >>> region(":,-1:", 2, 3).int().tolist()
    [[0, 0, 1], [0, 0, 1]]
    """
    mask = torch.zeros(height, width, dtype=torch.bool)
    words = text.replace(" ", "")
    upto = UPTO.fullmatch(words)
    if upto is not None:
        row, column = int(upto[1]), int(upto[2])
        if row >= height or column >= width:
            raise UserError(f"'{text}': there is no pixel {row},{column} in an image of {height}x{width}")
        mask.view(-1)[: row * width + column] = True
    else:
        parts = words.split(",")
        if len(parts) != 2:
            raise UserError(f"'{text}' is no region: it is {FORMS}")
        rows, columns = (_span(part, size, text) for part, size in zip(parts, (height, width), strict=True))
        mask[rows, columns] = True
    if not bool(mask.any()):
        raise UserError(f"'{text}' keeps no pixel of an image of {height}x{width}")
    return mask


def _span(word: str, size: int, text: str) -> slice:
    found = SPAN.fullmatch(word)
    if found is None:
        raise UserError(f"'{text}' is no region: it is {FORMS}")
    first, last, single = found.groups()
    if single is not None:
        start = int(single)
        span = slice(start, start + 1 or None)
    else:
        span = slice(int(first) if first else None, int(last) if last else None)
    if any(end is not None and abs(end) > size for end in (span.start, span.stop)):
        raise UserError(f"'{text}' reaches outside an image that is {size} long there")
    return span
