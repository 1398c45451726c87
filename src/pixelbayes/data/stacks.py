"""Arrays of many images, in the layouts and number types that people have, -> pictures."""

from dataclasses import dataclass

import numpy as np
import torch

from ..errors import UserError
from ..levels import ImageShape
from .config import DataConfig
from .raw import ArrayPictures

LAYOUTS = "N,H,W or N,H,W,C or N,C,H,W of integers from 0, C being 1 or 3"
WHITE = {255: "8-bit", 65_535: "16-bit"}
CLOSE = 2e-3  # of a level: what float32, and a little float16, leaves of a whole number
FROM_UNIT = "(x * 255).round().astype('uint8') where 0 is black and 1 white"
FROM_SIGNED = "((x + 1) * 127.5).round().astype('uint8') where -1 is black"


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
    uint16. Floating-point images become the integers that they were (`as_integers`); `told` receives what was
    done. Raises UserError for other shapes, types and values, and for values a little above the wanted `levels`.
    """
    tensor = isinstance(images, torch.Tensor)
    values = _as_array(images, name)
    if values.dtype == np.bool_:
        values = values.astype(np.uint8)
        maximum = maximum or 1
    pixels = channels_last(values, name, tensor, shape)
    if 0 in pixels.shape:
        raise UserError(f"{name}: no images, shape {values.shape}")
    if np.issubdtype(pixels.dtype, np.floating):
        recovered = as_integers(pixels, levels, name)
        pixels, maximum = recovered.values, maximum or recovered.maximum
        if recovered.told and told is not None:
            told.append(recovered.told)
    if not np.issubdtype(pixels.dtype, np.integer):
        raise UserError(f"{name}: {pixels.dtype} values; integers are needed")
    lowest, highest = int(pixels.min()), int(pixels.max())
    if maximum is None and levels is not None:
        _check_levels(highest, levels, name)
    maximum = maximum or _maximum(pixels.dtype, highest, levels)
    if lowest < 0 or highest > maximum:
        raise UserError(f"{name}: values from {lowest} to {highest}; accepted are 0 to {maximum}")
    return ArrayPictures(pixels, maximum)


def stack_of_file(
    values: np.ndarray, name: str, config: DataConfig, told: list[str] | None = None
) -> ArrayPictures:
    """`as_stack` of an array in a file, with the levels and the white that were set; where 1 is white, floating-point
    values say so themselves."""
    white = None if config.white == 1 and np.issubdtype(values.dtype, np.floating) else config.white
    return as_stack(values, name, config.levels, int(white) if white and white >= 1 else None, told=told)


def _as_array(images: object, name: str) -> np.ndarray:
    if isinstance(images, torch.Tensor):
        plain = images.detach().cpu()
        return (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()
    try:
        return np.asarray(images)
    except ValueError as error:  # rows of different lengths
        raise UserError(f"{name}: the images differ in size; accepted are {LAYOUTS}") from error


def _check_levels(highest: int, levels: int, name: str) -> None:
    """Values just above the levels are more likely levels miscounted than dark pictures to be quantised."""
    if levels <= highest < 2 * levels and highest not in WHITE:
        white = 255 if highest <= 255 else 65_535
        hint = f" (to quantise on purpose: from_arrays(..., maximum={white}))"
        raise UserError(
            f"{name}: the highest value is {highest}, but {levels} levels are 0 to {levels - 1}:"
            f" set levels to {highest + 1}{hint if levels > 256 or white == 255 else ''}"
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
    array. Raises UserError for other shapes, and for one image in colour.
    """
    if values.ndim == 3:
        foreign = shape is not None and values.shape[1:] != (shape.height, shape.width)
        if foreign and (values.shape[2] == 3 or (values.shape[0] == 3 and shape and shape.channels == 3)):
            raise UserError(f"{name}: shape {values.shape} is that of one image in colour: give images[None]")
        return values[..., None]
    views = [values.transpose(0, 2, 3, 1), values] if values.ndim == 4 else []
    fitting = [view for view in views if view.shape[-1] in (1, 3)]
    if not fitting:
        raise UserError(f"{name}: shape {values.shape}; accepted are {LAYOUTS}")
    if shape is not None:
        exact = [view for view in fitting if view.shape[1:] == (shape.height, shape.width, shape.channels)]
        fitting = exact or fitting
    return fitting[0] if tensor else fitting[-1]


@dataclass(frozen=True)
class Recovered:
    """Integers of the same shape, the value of white (None: as for any integers), and what was done."""

    values: np.ndarray
    maximum: int | None = None
    told: str = ""


def as_integers(values: np.ndarray, levels: int | None, name: str) -> Recovered:
    """Floating-point images -> the integers that they were, where that loses nothing.

    Whole numbers as they are; [0, 1] and [-1, 1] times the levels less one, or 255, where whole numbers come out.
    Values of -1 to 1 that are all odd in steps of 1/255 could be either: they are refused, as is all else, with what
    to write. Raises UserError.
    """
    if not np.isfinite(values).all():
        raise UserError(f"{name}: some values are not finite numbers")
    wide = values.astype(np.float64)
    low, high = (float(wide.min()), float(wide.max())) if wide.size else (0.0, 0.0)
    span = f"{name}: {values.dtype} values from {low:g} to {high:g}; integers"
    if high > 1 and low >= 0:
        whole = _whole(wide)
        if whole is None:
            raise UserError(
                f"{name}: {values.dtype} values up to {high:g}; integers are needed: x.round().astype('uint8') where "
                "255 is white"
            )
        return Recovered(whole)
    if not -1 <= low <= high <= 1:
        raise UserError(f"{span} from 0 are needed")
    for top in dict.fromkeys([levels - 1 if levels else 255, 255]):
        scaled = _whole((wide + 1) * (top / 2)) if low < 0 else _whole(wide * top)
        if scaled is not None and (low < 0 or high in (0.0, 1.0) or not bool((scaled % 2 == 1).all())):
            unit = "[-1, 1]" if low < 0 else "[0, 1]"
            return Recovered(scaled, top, f"{name}: the values of {unit} are taken as 0 to {top}")
    advice = f"{FROM_SIGNED} and 1 white" if low < 0 else f"{FROM_UNIT}, {FROM_SIGNED}"
    raise UserError(f"{span} are needed: {advice}")


def _whole(values: np.ndarray) -> np.ndarray | None:
    """The values as integers where all are nearly whole."""
    rounded = np.rint(values)
    return rounded.astype(np.int64) if bool((np.abs(values - rounded) <= CLOSE).all()) else None
