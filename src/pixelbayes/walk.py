"""The one loop over the pixels: generating, completing and coding differ only in what they choose."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from .causal.scan import Glimpse
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
        """The distribution of that pixel, given those before it."""
        ...

    def read(self, signal: Tensor, label: Tensor | None, rows: int) -> None:
        """Take in the first rows, which are known already."""
        ...


@dataclass(frozen=True)
class Row:
    """A row is finished: `levels` `(b, C, H, W)` holds the image so far, complete down to row `index`."""

    index: int
    levels: Tensor


class CachedLook:
    """Looks that remember what they saw: a whole walk does the arithmetic of about one full pass."""

    def __init__(self, model: AutoregressiveImageModel, size: tuple[int, int]):
        self.model, self.size = model, size
        self.memory: dict[Any, Any] = {}

    def __call__(self, signal: Tensor, label: Tensor | None, row: int, column: int) -> PixelDistribution:
        glimpse = Glimpse(self.size, (row, row + 1), (column, column + 1), self.memory)
        parameters = self.model.pixel_parameters(signal, label, glimpse)
        if parameters.shape[2:] != ONE_PIXEL:
            size = "x".join(map(str, parameters.shape[2:]))
            raise UserError(
                f"the network returned parameters of {size} cells where one pixel was looked at: its layers have to "
                "ask the scan what they see (docs/extending.md)"
            )
        return self.model.describe(parameters)

    def read(self, signal: Tensor, label: Tensor | None, rows: int) -> None:
        self.model.pixel_parameters(signal, label, Glimpse(self.size, (0, rows), None, self.memory))


class NaiveLook:
    """A full pass for every look: the oracle of the tests, and the other side of the benchmark."""

    def __init__(self, model: AutoregressiveImageModel, size: tuple[int, int]):
        self.model = model

    def __call__(self, signal: Tensor, label: Tensor | None, row: int, column: int) -> PixelDistribution:
        parameters = self.model.pixel_parameters(signal, label)
        return self.model.describe(parameters[:, :, row : row + 1, column : column + 1])

    def read(self, signal: Tensor, label: Tensor | None, rows: int) -> None:
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
    known: Tensor | None = None,
    looks: Looks = CachedLook,
) -> Iterator[Row]:
    """Walk over the pixels in raster order, choosing each; yields every row as it is finished.

    `known` are the levels `(b, C, k, W)` of the first k rows: they are read in one look and kept.
    """
    shape = shape or model.shape
    height, width = shape.height, shape.width
    levels = torch.zeros(batch, shape.channels, height, width, dtype=torch.int64, device=model.device)
    start = 0 if known is None else known.shape[2]
    if known is not None:
        levels[:, :, :start] = known.to(levels)
    signal = model.signal(levels)
    look = looks(model, (height, width))
    if start:
        look.read(signal, label, start)
    places = [(channels, slice(channels[0], channels[-1] + 1)) for channels in model.looks]
    for row in range(start, height):
        # The pixels of the row, `(b, C, 1, 1)` each, as views that are written into.
        pixels = (image[:, :, row : row + 1].split(1, 3) for image in (levels, signal))
        for column, (level, seen) in enumerate(zip(*pixels, strict=True)):
            for channels, place in places:
                chosen = choose(look(signal, label, row, column), (row, column), channels, levels)
                level[:, place] = chosen
                seen[:, place] = to_signal(chosen, shape.levels, shape.signal, signal.dtype)
        yield Row(row, levels.to(shape.dtype))


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
