"""Arrays of many images, in the layouts that people have, -> pictures."""

import numpy as np
import torch

from ..errors import UserError
from ..levels import ImageShape
from .floats import as_integers
from .raw import ArrayPictures

LAYOUTS = "N,H,W or N,H,W,C or N,C,H,W of integers from 0, C being 1 or 3"
WHITE = {255: "8-bit", 65_535: "16-bit"}


def as_stack(
    images: object,
    name: str,
    levels: int | None = None,
    maximum: int | None = None,
    shape: ImageShape | None = None,
    told: list[str] | None = None,
) -> ArrayPictures:
    """Pictures `[N, H, W, C]` from an array or tensor.

    The layouts are those of `channels_last`. `maximum` is the value of white. Where it is not given: an array that fits
    into the wanted `levels` holds levels already; else it is 255, or 65,535 where larger values occur or the type is
    uint16. Floating-point images become the integers that they were (`floats.as_integers`); `told` receives what was
    done. Raises UserError for other shapes, types and values, and for values a little above the wanted `levels`.
    """
    tensor = isinstance(images, torch.Tensor)
    values = _of_tensor(images) if isinstance(images, torch.Tensor) else _as_array(images, name)
    if values.dtype == np.bool_:
        values = values.astype(np.uint8)
        maximum = maximum or 1
    pixels = channels_last(values, name, tensor, shape)
    if 0 in pixels.shape:
        raise UserError(f"{name}: no images, shape {values.shape}")
    if np.issubdtype(pixels.dtype, np.floating):
        found = as_integers(pixels, levels, name)
        pixels, maximum = found.values, maximum or found.maximum
        if found.told and told is not None:
            told.append(found.told)
    if not np.issubdtype(pixels.dtype, np.integer):
        raise UserError(f"{name}: {pixels.dtype} values; integers are needed")
    lowest, highest = int(pixels.min()), int(pixels.max())
    if maximum is None and levels is not None:
        _check_levels(highest, levels, name)
    top = maximum or _maximum(pixels.dtype, highest, levels)
    if lowest < 0 or highest > top:
        raise UserError(f"{name}: values from {lowest} to {highest}; accepted are 0 to {top}")
    return ArrayPictures(pixels, top)


def _of_tensor(images: torch.Tensor) -> np.ndarray:
    plain = images.detach().cpu()
    return (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()


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


def channels_last(
    values: np.ndarray, name: str, tensor: bool = False, shape: ImageShape | None = None
) -> np.ndarray:
    """The one rule for the axes of images, as `[N, H, W, C]`; the same in training and for whatever a model is asked.

    Three axes are grey images `(n, H, W)`. Of four, the channels are the second or the last, whichever is 1 or 3. Where
    both are: those that make the images that a model takes (`shape`), else the second of a tensor, the last of an
    array.
    """
    if values.ndim == 3 and shape is not None and values.shape[1:] != (shape.height, shape.width):
        coloured = values.shape[2] == 3 or (values.shape[0] == 3 and shape.channels == 3)
        if coloured:
            raise UserError(f"{name}: shape {values.shape} is that of one image in colour: give images[None]")
    if values.ndim == 3:
        return values[..., None]
    if values.ndim != 4:
        raise UserError(f"{name}: shape {values.shape}; accepted are {LAYOUTS}")
    views = {"second": values.transpose(0, 2, 3, 1), "last": values}
    fitting = [view for view in views.values() if view.shape[-1] in (1, 3)]
    if not fitting:
        raise UserError(f"{name}: shape {values.shape}; accepted are {LAYOUTS}")
    if shape is not None:
        exact = [view for view in fitting if view.shape[1:] == (shape.height, shape.width, shape.channels)]
        fitting = exact or fitting
    return fitting[0] if tensor else fitting[-1]
