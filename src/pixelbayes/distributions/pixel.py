"""What a network's output means for one pixel: the contract of a pixel distribution."""

from abc import ABC, abstractmethod
from typing import Protocol

import torch
from torch import Tensor

from ..levels import ImageShape


def precise(values: Tensor) -> Tensor:
    """The same in float64, or float32 on a device that has no float64."""
    return values.float() if values.device.type == "mps" else values.double()


class LevelDistribution(ABC):
    """The distribution of one channel's level at every pixel, given the channels before it.

    Levels and results are `(b, h, w)`; log-probabilities are in nats.
    """

    @abstractmethod
    def log_prob(self, level: Tensor) -> Tensor:
        """log P(level), in nats."""

    @abstractmethod
    def cdf(self, level: Tensor) -> Tensor:
        """P(X <= level)."""

    @abstractmethod
    def sample(self, u: Tensor, temperature: float = 1.0) -> Tensor:
        """The level that the uniform noise `u` in (0, 1) picks, as `int64`."""


class PixelDistribution(ABC):
    """The distribution of a batch of pixels, all their channels together.

    `channels` and `levels` say what a pixel is.
    """

    channels: int
    levels: int

    def log_prob(self, levels: Tensor) -> Tensor:
        """Integer levels `(b, C, h, w)` -> log-probability of each pixel `(b, h, w)` in nats, its channels' sum."""
        return sum(self.channel(c, levels[:, :c]).log_prob(levels[:, c]) for c in range(self.channels))  # type: ignore

    @abstractmethod
    def channel(self, c: int, previous: Tensor) -> LevelDistribution:
        """Channel `c` given the levels `previous` `(b, c, h, w)` of the channels before it."""

    def sample(self, u: Tensor, temperature: float = 1.0) -> Tensor:
        """Uniform noise `(b, C, h, w)` in (0, 1) -> integer levels `(b, C, h, w)`, channel by channel."""
        levels = torch.zeros(u.shape, dtype=torch.int64, device=u.device)
        for c in range(self.channels):
            levels[:, c] = self.channel(c, levels[:, :c]).sample(u[:, c], temperature)
        return levels


class DistributionConfig(Protocol):
    """A family of pixel distributions: how many numbers it needs for a pixel, and what they mean.

    `by_channel` is true for a network that looks at a pixel once for every channel: then the
    parameters of channel c are the c-th of `channels` equal groups and couple to no other channel.
    """

    def parameters(self, shape: ImageShape, by_channel: bool) -> int:
        """Numbers a pixel; raises `UserError` where the family cannot describe such images."""
        ...

    def __call__(self, parameters: Tensor, shape: ImageShape, by_channel: bool) -> PixelDistribution:
        """Parameters `(b, P, h, w)` -> the distribution."""
        ...
