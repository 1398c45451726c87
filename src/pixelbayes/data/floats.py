"""Floating-point images -> the integers that they were, where that loses nothing."""

from dataclasses import dataclass

import numpy as np

from ..errors import UserError

CLOSE = 2e-3  # of a level: what float32, and a little float16, leaves of a whole number


@dataclass(frozen=True)
class Recovered:
    """Integers of the same shape, the value of white (None: as for any integers), and what was done."""

    values: np.ndarray
    maximum: int | None = None
    told: str = ""


def as_integers(values: np.ndarray, levels: int | None, name: str) -> Recovered:
    """Whole numbers as they are; [0, 1] and [-1, 1] times the levels less one, or 255, where whole numbers come out.

    Values of -1 to 1 that are all odd in steps of 1/255 could be either: they are refused, as is all else, with what
    to write. Raises UserError.
    """
    if not np.isfinite(values).all():
        raise UserError(f"{name}: some values are not finite numbers")
    wide = values.astype(np.float64)
    low, high = (float(wide.min()), float(wide.max())) if wide.size else (0.0, 0.0)
    if high > 1 and low >= 0:
        whole = _whole(wide)
        if whole is None:
            raise UserError(
                f"{name}: {values.dtype} values up to {high:g}; integers are needed: {_ADVICE[2]}"
            )
        return Recovered(whole)
    if not -1 <= low <= high <= 1:
        raise UserError(f"{name}: {values.dtype} values from {low:g} to {high:g}; integers from 0 are needed")
    tops = dict.fromkeys([levels - 1 if levels else 255, 255])
    for top in tops:
        scaled = _whole((wide + 1) * (top / 2)) if low < 0 else _whole(wide * top)
        if scaled is not None and (low < 0 or high in (0.0, 1.0) or not bool((scaled % 2 == 1).all())):
            span = "[-1, 1]" if low < 0 else "[0, 1]"
            return Recovered(scaled, top, f"{name}: the values of {span} are taken as 0 to {top}")
    raise UserError(
        f"{name}: {values.dtype} values from {low:g} to {high:g}; integers are needed: {_ADVICE[low < 0]}"
    )


_ADVICE = (
    "(x * 255).round().astype('uint8') where 0 is black and 1 white, ((x + 1) * 127.5).round().astype('uint8') where "
    "-1 is black",
    "((x + 1) * 127.5).round().astype('uint8') where -1 is black and 1 white",
    "x.round().astype('uint8') where 255 is white",
)


def _whole(values: np.ndarray) -> np.ndarray | None:
    """The values as integers where all are nearly whole."""
    rounded = np.rint(values)
    return rounded.astype(np.int64) if bool((np.abs(values - rounded) <= CLOSE).all()) else None
