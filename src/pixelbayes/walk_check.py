"""Does a walk over the pixels give what a pass over the whole image gives? For layers of one's own."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import cycle

import torch
from torch import Tensor

from .errors import UserError, check_whole
from .inputs import as_levels, require_model
from .model import AutoregressiveImageModel, evaluating
from .walk import CachedLook

TOLERANCES = {torch.float64: 1e-8}  # of the greatest parameter of the pass; sums differ in their order
COARSE_TOLERANCE = 1e-3  # in single precision
IMAGES = 2  # of different classes, so that a cache shared by images is found out

Seen = tuple[int, int, Tensor]
"""The first row and column of some cells, and what a walk's network says of them, `(b, P, h, w)`."""


@dataclass(frozen=True)
class Difference:
    """At pixel `at` (row, column) a parameter of the walk is `amount` away from that of the pass.

    `way` is how the walk looked at it: 'pixel by pixel', or 'some rows at once'.
    """

    at: tuple[int, int]
    amount: float
    way: str

    def __str__(self) -> str:
        return (
            f"pixel (row {self.at[0]}, column {self.at[1]}) differs by {self.amount:.3g}, walking {self.way}"
        )


@dataclass(frozen=True)
class WalkReport:
    """What a comparison of `checked` of an image's `pixels` found.

    `differences` has an entry for each pixel that differs, in raster order, of each way of walking. `greatest` is the
    greatest distance of a parameter. `failure` is an error that stopped a walk, with its place; empty without.
    """

    pixels: int
    checked: int
    differences: tuple[Difference, ...]
    greatest: float
    failure: str = ""

    @property
    def ok(self) -> bool:
        return not self.differences and not self.failure

    @property
    def first(self) -> Difference | None:
        """The first pixel that differs."""
        return self.differences[0] if self.differences else None

    def __str__(self) -> str:
        extent = f"{self.checked:,} of {self.pixels:,} pixels checked"
        if self.differences:
            count = len({difference.at for difference in self.differences})
            return f"a walk differs from a full pass: {self.first}; {count:,} pixels differ ({extent})"
        if self.failure:
            return f"a walk fails where a full pass does not: {self.failure}"
        return f"a walk gives what a full pass gives, to {self.greatest:.1g} ({extent})"


def check_walk(
    model: AutoregressiveImageModel,
    levels: Tensor | None = None,
    *,
    rows: int | None = None,
    seed: int = 0,
) -> WalkReport:
    """Compare the parameters of each pixel in a walk with those of a full pass, in double precision where that works.

    The walk goes pixel by pixel, and then some rows at once in turn with single pixels, as where rows are known.
    What is not yet chosen is hidden from it, so that a network that sees the future differs, too. `levels`
    `(n, C, H, W)` are the images (two random ones); `rows` bounds how many rows are walked over. Errors of the
    user's own layers in a walk are reported, not raised; raises `UserError` for images that do not fit.

    Args:
        model: the model, of `pb.load`, `pb.train`, `pb.create` or `pb.adapt`.
        levels: images of integer levels, `(n, C, H, W)`; None: two random ones.
        rows: how many rows are walked over; None: all.
        seed: where the noise comes from; the same seed, the same result.

    Returns:
        A `WalkReport`, which prints as a line; `.ok` says whether both agree.

    >>> import pixelbayes as pb
    >>> pb.check_walk(pb.create("digits", filters=4), rows=2).ok
    True
    """
    require_model(model)
    check_whole("the rows", rows, least=1)
    shape = model.shape
    if levels is None:
        generator = torch.Generator().manual_seed(seed)
        size = (IMAGES, shape.channels, shape.height, shape.width)
        levels = torch.randint(0, shape.levels, size, generator=generator)
    levels = as_levels(levels)
    model.check(levels)
    if not len(levels):
        raise UserError("a walk is checked on one image at least")
    with torch.inference_mode(), evaluating(model):
        return _compare(*_precise(model, levels), min(rows or levels.shape[2], levels.shape[2]))


def _precise(
    model: AutoregressiveImageModel, levels: Tensor
) -> tuple[AutoregressiveImageModel, Tensor, Tensor | None, Tensor]:
    """Returns a copy of the model in double precision, or itself where it cannot be had; the images' signal, their
    labels, and the parameters of a full pass."""
    label = None
    if model.classes:
        label = (torch.arange(len(levels)) * (len(model.classes) - 1) % len(model.classes)).to(model.device)
    try:
        exact = (deepcopy(model).cpu() if model.device.type == "mps" else deepcopy(model)).double()
        seen = None if label is None else label.to(exact.device)
        whole = exact.pixel_parameters(levels, seen)
        if whole.dtype == torch.float64:
            return exact, exact.signal(levels), seen, whole
    except Exception:  # a module from outside may know one precision only
        pass
    return model, model.signal(levels), label, model.pixel_parameters(levels, label)


def _compare(
    model: AutoregressiveImageModel, signal: Tensor, label: Tensor | None, whole: Tensor, rows: int
) -> WalkReport:
    """Both ways of walking over the first `rows` rows against the whole pass."""
    height, width = signal.shape[2:]
    tolerance = TOLERANCES.get(whole.dtype, COARSE_TOLERANCE) * float(1 + whole.abs().max())
    differences: dict[tuple[int, int, str], Difference] = {}
    greatest, failure = 0.0, ""
    for way, walked in (("pixel by pixel", _by_pixels), ("some rows at once", _by_rows)):
        cell = (0, 0)
        try:
            for row, column, seen in walked(model, signal, label, rows):
                cell = (row, column)
                there = whole[:, :, row : row + seen.shape[2], column : column + seen.shape[3]]
                apart = (seen - there).abs().amax((0, 1))
                greatest = max(greatest, float(apart.max()))
                for r, c in (~(apart <= tolerance)).nonzero().tolist():
                    at = (row + r, column + c)
                    differences[*at, way] = Difference(at, float(apart[r, c]), way)
        except Exception as error:  # of the user's own layers
            where = f"walking {way}, after pixel (row {cell[0]}, column {cell[1]})"
            failure = failure or f"{type(error).__name__}: {error} ({where})"
    ordered = tuple(differences[key] for key in sorted(differences))
    return WalkReport(height * width, rows * width, ordered, greatest, failure)


def _by_pixels(
    model: AutoregressiveImageModel, signal: Tensor, label: Tensor | None, rows: int
) -> Iterator[Seen]:
    """Every pixel of the first rows, one after the other."""
    look = CachedLook(model, (signal.shape[2], signal.shape[3]))
    for row in range(rows):
        yield from _pixels_of_row(look, signal, label, row)


def _by_rows(
    model: AutoregressiveImageModel, signal: Tensor, label: Tensor | None, rows: int
) -> Iterator[Seen]:
    """The first rows, in turn some at once and one pixel by pixel."""
    look = CachedLook(model, (signal.shape[2], signal.shape[3]))
    row = 0
    for count in cycle((1, 3, 2)):
        stop = min(row + count, rows)
        if row == stop:
            return
        seen = look.rows(_hidden(signal, stop), label, (row, stop))
        _require_cells(seen, stop - row, signal.shape[3])
        yield row, 0, seen
        if stop < rows:
            yield from _pixels_of_row(look, signal, label, stop)
        row = min(stop + 1, rows)


def _pixels_of_row(look: CachedLook, signal: Tensor, label: Tensor | None, row: int) -> Iterator[Seen]:
    """Each pixel of a row, looked at as often as its channels are chosen; what is not yet chosen is hidden."""
    hidden, looks = _hidden(signal, row), look.model.looks
    for column in range(signal.shape[3]):
        parts = []
        for index, channels in enumerate(looks):
            seen = look.parameters(hidden, label, row, column)
            each = seen.shape[1] // len(looks)
            parts.append(seen[:, index * each : (index + 1) * each])
            hidden[:, list(channels), row, column] = signal[:, list(channels), row, column]
        yield row, column, torch.cat(parts, 1)


def _hidden(signal: Tensor, row: int) -> Tensor:
    """Returns a copy of the signal, without what lies in this row and below."""
    copy = signal.clone()
    copy[:, :, row:] = 0
    return copy


def _require_cells(seen: Tensor, height: int, width: int) -> None:
    if tuple(seen.shape[2:]) != (height, width):
        size = "x".join(map(str, seen.shape[2:]))
        raise UserError(
            f"the network returned parameters of {size} cells where {height}x{width} were looked at"
        )
