"""Which pixels of an image are known: a region, or a mask."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from ..regions import ACCEPTED, Region, Slices

KnownLike = str | Slices | Region | Tensor | np.ndarray | Sequence[Sequence[bool]]
"""A region (see `regions.Region.parse`), or a mask `(H, W)` or `(n, H, W)`, true where a pixel is known."""


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
