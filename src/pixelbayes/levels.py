"""Integer levels <-> the network's signal in [-1, 1], and <-> the values in a file.

An image is integer levels 0..L-1 everywhere outside a network. Only this file knows how they become
a signal, and how the values of a file (0..255, or 0..65,535) become L levels and back.
"""

from dataclasses import dataclass
from math import log2

import numpy as np
import torch
from torch import Tensor

from .errors import UserError, unknown

SIGNALS = ("linear", "sqrt", "asinh")
ASINH_SOFTENING = 0.01  # of the whole range: below it the map is nearly linear, above it logarithmic


@dataclass(frozen=True)
class ImageShape:
    """What one image is: channels x height x width of `levels` integer levels.

    `signal` names the monotone map through which a network sees the levels; masses stay on the integers.
    """

    channels: int
    height: int
    width: int
    levels: int = 256
    signal: str = "linear"

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise UserError(f"images have 1 or 3 channels, not {self.channels}")
        if self.height < 1 or self.width < 1:
            raise UserError(f"an image needs at least one pixel, not {self.height}x{self.width}")
        if not 2 <= self.levels <= 65_536:
            raise UserError(f"levels must lie between 2 and 65536, not {self.levels}")
        if self.signal not in SIGNALS:
            raise unknown("signal map", self.signal, SIGNALS)

    @property
    def dims(self) -> int:
        """Values in one image, C*H*W."""
        return self.channels * self.height * self.width

    @property
    def dtype(self) -> torch.dtype:
        return storage_dtype(self.levels)

    @property
    def uniform_bits(self) -> float:
        """Bits per dimension of the model that knows nothing."""
        return log2(self.levels)

    def __str__(self) -> str:
        return f"{self.channels}x{self.height}x{self.width}, {self.levels} levels"


def storage_dtype(count: int) -> torch.dtype:
    """`uint8` up to 256 levels, `int32` above."""
    return torch.uint8 if count <= 256 else torch.int32


def to_signal(levels: Tensor, count: int, map: str = "linear", dtype: torch.dtype = torch.float32) -> Tensor:
    """Levels 0..count-1 -> the signal in [-1, 1], through a monotone map of the unit interval.

    >>> to_signal(torch.tensor([0, 255]), 256)
    tensor([-1.,  1.])
    """
    if map == "linear":
        return levels.to(dtype) * (2 / (count - 1)) - 1
    unit = levels.to(dtype) / (count - 1)
    if map == "sqrt":
        return unit.sqrt() * 2 - 1
    if map == "asinh":
        return torch.asinh(unit / ASINH_SOFTENING) * (2 / np.arcsinh(1 / ASINH_SOFTENING)) - 1
    raise unknown("signal map", map, SIGNALS)


def from_values(values: np.ndarray, count: int, maximum: int = 255) -> np.ndarray:
    """The values of a file, 0..maximum, -> `count` levels: round(v * (L-1) / max).

    >>> from_values(np.array([0, 127, 128, 255]), 2)
    array([0, 0, 1, 1], dtype=uint8)
    """
    kind = np.uint8 if count <= 256 else np.int32
    return np.floor(values.astype(np.float64) * (count - 1) / maximum + 0.5).astype(kind)


def to_values(levels: np.ndarray, count: int, maximum: int | None = None) -> np.ndarray:
    """Levels -> the values that a file keeps: round(l * max / (L-1)), so that reading back gives the levels.

    `maximum` is 255 up to 256 levels and 65,535 above unless given.
    """
    top = maximum or (255 if count <= 256 else 65_535)
    kind = np.uint8 if top <= 255 else np.uint16
    return np.floor(levels.astype(np.float64) * top / (count - 1) + 0.5).astype(kind)
