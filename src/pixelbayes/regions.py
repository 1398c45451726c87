"""Parts of an image: which pixels' log-probabilities count, and how often; and which are known.

The likelihood of a part is the sum of log p(pixel | the pixels before it, class) over its pixels. The network sees the
image as it is; the other pixels are left out of the sum, and not set to zero.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from .errors import UserError, unknown

Combine = Literal["sum", "mean"]
Slices = tuple[slice, slice]

ACCEPTED = "ROWS,COLUMNS as Python slices, such as 0:16,8:24, or upto:ROW,COLUMN"
NUMBER = r"\s*(-?\d+)?\s*"
RECTANGLE = re.compile(rf"{NUMBER}:{NUMBER},{NUMBER}:{NUMBER}")
UPTO = re.compile(r"\s*upto:\s*(\d+)\s*,\s*(\d+)\s*")


@dataclass(frozen=True)
class Region:
    """A rectangle, `rows` and `columns` as slices, or with `upto` all pixels before (row, column) in raster order.

    >>> int(Region.parse("0:2,1:3").mask(4, 4).sum()), int(Region.parse("upto:1,2").mask(4, 4).sum())
    (4, 6)
    """

    text: str
    rows: slice = field(default_factory=lambda: slice(None))
    columns: slice = field(default_factory=lambda: slice(None))
    upto: tuple[int, int] | None = None

    @staticmethod
    def parse(given: "str | Slices | Region") -> "Region":
        """`ROWS,COLUMNS` (either may be `:` for all, and count from the end if negative), `upto:ROW,COLUMN`, or two
        slices. Raises UserError for anything else."""
        if isinstance(given, Region):
            return given
        if isinstance(given, str):
            return _from_text(given)
        if isinstance(given, tuple) and len(given) == 2 and all(isinstance(part, slice) for part in given):
            rows, columns = given
            if rows.step in (None, 1) and columns.step in (None, 1):
                return Region(f"{_spell(rows)},{_spell(columns)}", rows, columns)
        raise UserError(f"a region is {ACCEPTED}, or two slices without a step; not {given!r}")

    def mask(self, height: int, width: int) -> Tensor:
        """Which pixels of an image belong to the region, bool `(height, width)`.

        Raises UserError for a region that is empty or reaches beyond the image.
        """
        inside = torch.zeros(height, width, dtype=torch.bool)
        if self.upto is None:
            inside[
                self._bounds(self.rows, height, width), self._bounds(self.columns, width, height, True)
            ] = True
        else:
            row, column = self.upto
            if row * width + column > height * width or column > width:
                raise self._outside(height, width)
            inside.view(-1)[: row * width + column] = True
        if not bool(inside.any()):
            raise UserError(f"the region '{self.text}' is empty: it holds no pixel of {height}x{width}")
        return inside

    def _bounds(self, part: slice, size: int, other: int, columns: bool = False) -> slice:
        """The slice from 0 on; a Python slice would be cut at the border without a word."""
        for end in (part.start, part.stop):
            if end is not None and not -size <= end <= size:
                raise self._outside(*((other, size) if columns else (size, other)))
        return slice(*part.indices(size))

    def _outside(self, height: int, width: int) -> UserError:
        return UserError(
            f"the region '{self.text}' reaches beyond the image of {height}x{width} (rows x columns)"
        )


def _from_text(text: str) -> Region:
    before = UPTO.fullmatch(text)
    if before is not None:
        return Region(text, upto=(int(before[1]), int(before[2])))
    matched = RECTANGLE.fullmatch(text)
    if matched is None:
        raise UserError(f"the region '{text}' is not understood: it is {ACCEPTED}")
    top, bottom, left, right = (None if end is None else int(end) for end in matched.groups())
    return Region(text, slice(top, bottom), slice(left, right))


def _spell(part: slice) -> str:
    return f"{'' if part.start is None else part.start}:{'' if part.stop is None else part.stop}"


def pixel_weights(
    regions: "Sequence[str | Slices | Region]", height: int, width: int, combine: Combine = "sum"
) -> Tensor:
    """How often each pixel's log-probability counts, float64 `(height, width)`; 0 where it is left out.

    Several regions are combined by the sum of their log-likelihoods, or by its mean over the regions; a pixel that
    lies in two of them counts in both. Raises UserError for regions that do not fit, and where there are none.
    """
    if combine not in ("sum", "mean"):
        raise unknown("way to combine regions", combine, ("sum", "mean"))
    if isinstance(regions, str | Region) or not len(regions):
        regions = [regions] if isinstance(regions, str | Region) else regions
    if not len(regions):
        raise UserError(f"there are no regions: name at least one, {ACCEPTED}")
    masks = [Region.parse(region).mask(height, width).double() for region in regions]
    total = torch.stack(masks).sum(0)
    return total / len(masks) if combine == "mean" else total


KnownLike = str | Slices | Region | Tensor | np.ndarray | Sequence[Sequence[bool]]
"""A region (see `Region.parse`), or a mask `(H, W)` or `(n, H, W)`, true where a pixel is known."""


def as_mask(known: KnownLike, count: int, height: int, width: int) -> Tensor:
    """Returns the mask `(count, H, W)`, bool, of a region or a mask; raises `UserError` for what is neither."""
    if isinstance(known, str | Region) or _are_slices(known):
        return Region.parse(known).mask(height, width).expand(count, height, width)  # type: ignore[arg-type]
    try:
        mask = known if isinstance(known, Tensor) else torch.from_numpy(np.array(known))
    except (TypeError, ValueError) as error:
        raise UserError(f"what is known is a mask, or a region: {ACCEPTED}; not {known!r}") from error
    if mask.is_floating_point() or mask.is_complex() or not bool(((mask == 0) | (mask == 1)).all()):
        raise UserError(f"a mask of what is known holds true and false, not {mask.dtype} values")
    if tuple(mask.shape) not in ((height, width), (count, height, width)):
        raise UserError(
            f"a mask of what is known is {(height, width)} or {(count, height, width)}, not {tuple(mask.shape)}"
        )
    return mask.bool().cpu().expand(count, height, width)


def _are_slices(known: object) -> bool:
    return isinstance(known, tuple) and all(isinstance(part, slice) for part in known)
