"""Softmax over the levels of each channel (van den Oord et al. 2016, PixelRNN), and its two-level case."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import UserError
from ..levels import ImageShape
from .pixel import LevelDistribution, PixelDistribution, precise

MOST_LEVELS = 256  # above this a table over the levels is never made


class CategoricalLevel(LevelDistribution):
    """A softmax over the levels of one channel: logits `(b, L, h, w)`."""

    def __init__(self, logits: Tensor):
        self.logits = logits

    def log_prob(self, level: Tensor) -> Tensor:
        return self.logits.log_softmax(1).gather(1, level.long().unsqueeze(1)).squeeze(1)

    def cdf(self, level: Tensor) -> Tensor:
        upper = precise(self.logits).softmax(1).cumsum(1)
        cumulative = upper.gather(1, level.long().unsqueeze(1)).squeeze(1).clamp_max(1).to(self.logits.dtype)
        return torch.where(level >= self.logits.shape[1] - 1, 1.0, cumulative)

    def sample(self, u: Tensor, temperature: float = 1.0) -> Tensor:
        upper = (precise(self.logits) / temperature).softmax(1).cumsum(1)
        return (upper[:, :-1] < u.unsqueeze(1)).sum(1)


class CategoricalPixel(PixelDistribution):
    """Channels independent of each other given what the network saw: logits `(b, C, L, h, w)`."""

    def __init__(self, logits: Tensor):
        self.logits = logits
        self.channels, self.levels = logits.shape[1:3]

    def log_prob(self, levels: Tensor) -> Tensor:
        chosen = self.logits.log_softmax(2).gather(2, levels.long().unsqueeze(2))
        return chosen.squeeze(2).sum(1)

    def channel(self, c: int, previous: Tensor) -> CategoricalLevel:
        return CategoricalLevel(self.logits[:, c])


class BernoulliLevel(LevelDistribution):
    """Level 1 with probability sigmoid(logit): logits `(b, h, w)`."""

    def __init__(self, logit: Tensor):
        self.logit = logit

    def log_prob(self, level: Tensor) -> Tensor:
        return F.logsigmoid(torch.where(level > 0, self.logit, -self.logit))

    def cdf(self, level: Tensor) -> Tensor:
        return torch.where(level > 0, 1.0, torch.sigmoid(-self.logit))

    def sample(self, u: Tensor, temperature: float = 1.0) -> Tensor:
        return (u > torch.sigmoid(-precise(self.logit) / temperature)).long()


class BernoulliPixel(PixelDistribution):
    """Two levels a channel: logits `(b, C, h, w)`."""

    levels = 2

    def __init__(self, logits: Tensor):
        self.logits, self.channels = logits, logits.shape[1]

    def log_prob(self, levels: Tensor) -> Tensor:
        return BernoulliLevel(self.logits).log_prob(levels).sum(1)

    def channel(self, c: int, previous: Tensor) -> BernoulliLevel:
        return BernoulliLevel(self.logits[:, c])


@dataclass(frozen=True)
class Categorical:
    """Softmax over the levels; channels are independent, or conditioned inside a network with colour masks."""

    def parameters(self, shape: ImageShape, by_channel: bool) -> int:
        if shape.levels > MOST_LEVELS:
            raise UserError(
                f"the categorical distribution takes at most {MOST_LEVELS} levels, not {shape.levels}:"
                " use the logistic mixture, or fewer levels (--data.levels)"
            )
        return shape.channels * shape.levels

    def __call__(self, parameters: Tensor, shape: ImageShape, by_channel: bool) -> PixelDistribution:
        b, _, h, w = parameters.shape
        return CategoricalPixel(parameters.view(b, shape.channels, shape.levels, h, w))


@dataclass(frozen=True)
class Bernoulli:
    """One logit a channel, for images of two levels."""

    def parameters(self, shape: ImageShape, by_channel: bool) -> int:
        if shape.levels != 2:
            raise UserError(
                f"the Bernoulli distribution is for 2 levels, not {shape.levels} (--data.levels 2)"
            )
        return shape.channels

    def __call__(self, parameters: Tensor, shape: ImageShape, by_channel: bool) -> PixelDistribution:
        return BernoulliPixel(parameters)
