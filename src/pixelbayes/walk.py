"""The one loop over the pixels: generating, completing and coding differ only in what they choose."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from .causal import Glimpse, WalkCache
from .distributions import PixelDistribution
from .errors import UserError
from .levels import ImageShape, to_signal
from .model import AutoregressiveImageModel

ONE_PIXEL = (1, 1)
Choose = Callable[[PixelDistribution, tuple[int, int], Sequence[int], Tensor], Tensor]
"""(distribution of one pixel, its row and column, the channels to choose, the levels so far `(b, C, H, W)`)
-> the levels chosen `(b, channels, 1, 1)`."""


class Look(Protocol):
    """How a walk looks at a pixel."""

    def __call__(self, signal: Tensor, label: Tensor | None, row: int, column: int) -> PixelDistribution:
        """Returns the distribution of that pixel, given those before it."""
        ...

    def read(self, signal: Tensor, label: Tensor | None, rows: tuple[int, int]) -> None:
        """Take in the rows from the first to before the second, all of which are known."""
        ...


@dataclass(frozen=True)
class Known:
    """Pixels that are given: those of `levels` `(b, C, H, W)` where `mask` `(b, H, W)`, a bool, is true."""

    levels: Tensor
    mask: Tensor

    def __len__(self) -> int:
        return len(self.levels)

    def __getitem__(self, images: Sequence[int] | Tensor) -> "Known":
        """Returns what is known of some of the images."""
        return Known(self.levels[images], self.mask[images])


@dataclass(frozen=True)
class Row:
    """A row is finished: `levels` `(b, C, H, W)` holds the image so far, complete down to row `index`; below it,
    what is known, and zeros."""

    index: int
    levels: Tensor


class CachedLook:
    """Looks that remember what they saw: a whole walk does the arithmetic of about one full pass."""

    def __init__(self, model: AutoregressiveImageModel, size: tuple[int, int]):
        self.model, self.size = model, size
        self.cache = WalkCache()

    def __call__(self, signal: Tensor, label: Tensor | None, row: int, column: int) -> PixelDistribution:
        return self.model.to_distribution(self.parameters(signal, label, row, column))

    def parameters(self, signal: Tensor, label: Tensor | None, row: int, column: int) -> Tensor:
        """Returns what the network says of one pixel, `(b, P, 1, 1)`."""
        glimpse = Glimpse(self.size, (row, row + 1), (column, column + 1), self.cache)
        parameters = self.model.pixel_parameters(signal, label, glimpse)
        if parameters.shape[2:] != ONE_PIXEL:
            size = "x".join(map(str, parameters.shape[2:]))
            raise UserError(
                f"the network returned parameters of {size} cells where one pixel was looked at: its layers have to "
                "ask the scan what they see (docs/extending.md)"
            )
        return parameters

    def rows(self, signal: Tensor, label: Tensor | None, rows: tuple[int, int]) -> Tensor:
        """Returns what the network says of some rows, `(b, P, h, W)`."""
        return self.model.pixel_parameters(signal, label, Glimpse(self.size, rows, None, self.cache))

    def read(self, signal: Tensor, label: Tensor | None, rows: tuple[int, int]) -> None:
        self.rows(signal, label, rows)


class NaiveLook:
    """A full pass for every look: the oracle of the tests, and the other side of the benchmark."""

    def __init__(self, model: AutoregressiveImageModel, size: tuple[int, int]):
        self.model = model

    def __call__(self, signal: Tensor, label: Tensor | None, row: int, column: int) -> PixelDistribution:
        parameters = self.model.pixel_parameters(signal, label)
        return self.model.to_distribution(parameters[:, :, row : row + 1, column : column + 1])

    def read(self, signal: Tensor, label: Tensor | None, rows: tuple[int, int]) -> None:
        """Nothing: every look sees the whole signal."""


Looks = Callable[[AutoregressiveImageModel, tuple[int, int]], Look]
"""(model, (height, width)) -> the looks of one walk."""


@torch.inference_mode()
def walk(
    model: AutoregressiveImageModel,
    label: Tensor | None,
    choose: Choose,
    batch: int,
    shape: ImageShape | None = None,
    known: Known | None = None,
    looks: Looks = CachedLook,
) -> Iterator[Row]:
    """Walk over the pixels in raster order, choosing each that is not known; yields the rows that it walks over.

    Neighbouring rows that are known in all images of the batch are read in one look. A row with a pixel to choose is
    walked over; its known pixels are looked at, so that those after them see them, and kept as they are. Nothing
    is looked at after the last pixel to choose. A pixel is chosen given all before it, and no known one after it.
    """
    shape = shape or model.shape
    size = (shape.height, shape.width)
    levels = torch.zeros(batch, shape.channels, *size, dtype=torch.int64, device=model.device)
    kept = torch.zeros(batch, *size, dtype=torch.bool, device=model.device)
    if known is not None:
        kept |= known.mask.to(kept.device)
        levels = torch.where(kept[:, None], known.levels.to(levels), levels)
    signal = model.signal(levels)
    look = looks(model, size)
    parts = [(channels, slice(channels[0], channels[-1] + 1)) for channels in model.looks]
    nothing, everything = (~kept.any(0)).tolist(), kept.all(0).tolist()  # known, at each pixel of the batch
    for read, rows in _stretches(everything):
        if read:
            look.read(signal, label, rows)
            continue
        for row in range(*rows):
            # The pixels of the row, `(b, C, 1, 1)` each, as views that are written into.
            pixels = (image[:, :, row : row + 1].split(1, 3) for image in (levels, signal))
            for column, (level, seen) in enumerate(zip(*pixels, strict=True)):
                if everything[row][column]:
                    look(signal, label, row, column)
                    continue
                for channels, part in parts:
                    chosen = choose(look(signal, label, row, column), (row, column), channels, levels)
                    if not nothing[row][column]:
                        chosen = torch.where(kept[:, None, row, column, None, None], level[:, part], chosen)
                    level[:, part] = chosen
                    seen[:, part] = to_signal(chosen, shape.levels, shape.signal, signal.dtype)
            yield Row(row, levels.to(shape.dtype))


def _stretches(known: Sequence[Sequence[bool]]) -> list[tuple[bool, tuple[int, int]]]:
    """Returns intervals of rows: those to read, all of whose pixels are known, and those to walk over.

    >>> _stretches([[True, True], [True, True], [True, False], [True, True]])
    [(True, (0, 2)), (False, (2, 3))]
    """
    stretches = []
    for whole, group in groupby(enumerate(known), key=lambda row: all(row[1])):
        rows = [index for index, _ in group]
        stretches.append((whole, (rows[0], rows[-1] + 1)))
    return stretches[:-1] if stretches[-1][0] else stretches


def noise(seed: int, index: int, shape: ImageShape) -> Tensor:
    """Uniform noise `(C, H, W)`, float64, of the image `index`: the same whatever the batch and the device."""
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, index])))
    return torch.from_numpy(generator.random((shape.channels, shape.height, shape.width)))


def sample(noise: Tensor, temperature: float = 1.0) -> Choose:
    """Choose by drawing: noise `(b, C, H, W)` in (0, 1) picks each level by the model's distribution."""
    cells = noise.permute(2, 3, 0, 1).contiguous()[..., None, None]

    def choose(
        pixel: PixelDistribution, at: tuple[int, int], channels: Sequence[int], levels: Tensor
    ) -> Tensor:
        row, column = at
        u = cells[row, column]
        if len(channels) == pixel.channels:
            return pixel.sample(u, temperature)
        (c,) = channels
        previous = levels[:, :c, row : row + 1, column : column + 1]
        return pixel.channel(c, previous).sample(u[:, c], temperature).unsqueeze(1)

    return choose
