"""Arrays of many images, in the layouts that people have, -> pictures."""

import numpy as np
import torch

from ..errors import UserError
from .raw import ArrayPictures

LAYOUTS = "N,H,W or N,H,W,C or N,C,H,W of integers from 0, C being 1 or 3"
WHITE = {255: "8-bit", 65_535: "16-bit"}


def as_stack(
    images: object, name: str, levels: int | None = None, maximum: int | None = None
) -> ArrayPictures:
    """Pictures `[N, H, W, C]` from an array or tensor.

    `maximum` is the value of white. Where it is not given: an array that fits into the wanted `levels`
    holds levels already; else it is 255, or 65,535 where larger values occur or the type is uint16.
    Raises UserError for other shapes, types and values, and for values a little above the wanted `levels`.
    """
    channels_first = isinstance(images, torch.Tensor)
    values = images.detach().cpu().numpy() if isinstance(images, torch.Tensor) else _as_array(images, name)
    if values.dtype == np.bool_:
        values = values.astype(np.uint8)
        maximum = maximum or 1
    if not np.issubdtype(values.dtype, np.integer):
        hint = "such as (x * 255).round().astype('uint8')"
        raise UserError(f"{name}: {values.dtype} values; integers are needed, {hint}")
    pixels = _channels_last(values, name, channels_first)
    if 0 in pixels.shape:
        raise UserError(f"{name}: no images, shape {values.shape}")
    lowest, highest = int(pixels.min()), int(pixels.max())
    if maximum is None and levels is not None:
        _check_levels(highest, levels, name)
    top = maximum or _maximum(pixels.dtype, highest, levels)
    if lowest < 0 or highest > top:
        raise UserError(f"{name}: values from {lowest} to {highest}; accepted are 0 to {top}")
    return ArrayPictures(pixels, top)


def _as_array(images: object, name: str) -> np.ndarray:
    try:
        return np.asarray(images)
    except ValueError as error:  # rows of different lengths
        raise UserError(f"{name}: the images differ in size; accepted are {LAYOUTS}") from error


def _check_levels(highest: int, levels: int, name: str) -> None:
    """Values just above the levels are more likely levels miscounted than dark pictures to be quantised."""
    if levels <= highest < 2 * levels and highest not in WHITE:
        white = 255 if highest <= 255 else 65_535
        hint = (
            f" (to quantise on purpose: from_arrays(..., maximum={white}))"
            if levels > 256 or white == 255
            else ""
        )
        raise UserError(
            f"{name}: the highest value is {highest}, but {levels} levels are 0 to {levels - 1}:"
            f" set levels to {highest + 1}{hint}"
        )


def about_depth(white: int, levels: int | None, name: str) -> list[str]:
    """A notice where values 0..`white` were taken for 8 or 16 bits, and become other levels."""
    if levels in (None, white + 1) or white not in WHITE:
        return []
    return [f"{name}: the values are taken as {WHITE[white]} (0 to {white:,}) and become {levels:,} levels"]


def _maximum(kind: np.dtype, highest: int, levels: int | None) -> int:
    if levels is not None and highest < levels and levels not in (256, 65_536):
        return levels - 1
    if levels is not None and levels > 256 and kind != np.uint8:
        return 65_535  # a dark image of many levels is still one
    return 255 if kind == np.uint8 or (highest <= 255 and kind != np.uint16) else 65_535


def _channels_last(values: np.ndarray, name: str, channels_first: bool) -> np.ndarray:
    if values.ndim == 3:
        return values[..., None]
    if values.ndim == 4:
        first, last = values.shape[1] in (1, 3), values.shape[-1] in (1, 3)
        if first and (channels_first or not last):
            return values.transpose(0, 2, 3, 1)
        if last:
            return values
    raise UserError(f"{name}: shape {values.shape}; accepted are {LAYOUTS}")
