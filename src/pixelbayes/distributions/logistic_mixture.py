"""Discretised mixture of logistics (Salimans et al. 2017, PixelCNN++, eq. 2 and section 2.1 to 2.2).

A logistic with mean m and scale s, in units of levels, gives level l the mass
`sigmoid(a) - sigmoid(b)` with `a = (l - m + 1/2) / s`, `b = (l - m - 1/2) / s`. It is computed exactly,
without a threshold, as `sigmoid(a) * sigmoid(-b) * (1 - exp(b - a))`, where `a - b = 1/s` is known. The
lowest and the highest level take the tails.
"""

from dataclasses import dataclass
from functools import cached_property
from math import log
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import UserError
from ..levels import ImageShape
from . import fused_masses as fused
from .pixel import LevelDistribution, PixelDistribution, precise

TINY = 1e-12  # a uniform number is kept so far from 0 and 1, where the logit ends
LEAST_WEIGHT = 1e-300  # of a component that rounding alone picked


LOG_SCALES = 22.0
"""From the smallest log-scale to the largest. A scale then lies between 0.12 and 4e8 levels, where the lowest and the
highest level have all but 1e-7 of the mass; beyond, the rate would underflow, and its logarithm have no gradient."""


def log_scale_floor(levels: int) -> float:
    """The smallest log-scale on the signal's axis: the published -7 at 256 levels, moving with them."""
    return -7.0 + log(255 / (levels - 1))


def bounded(log_scales: Tensor, floor: float) -> Tensor:
    """Log-scales between floor and ceiling, so that values and gradients are finite whatever a network says."""
    return log_scales.clamp(floor, floor + LOG_SCALES)


def log_mass(level: Tensor, mean: Tensor, rate: Tensor, levels: int) -> Tensor:
    """log P(level) under a discretised logistic, in nats; `mean` in levels, `rate` = 1/scale a level."""
    centred = (level - mean) * rate
    half = rate / 2
    below_top = F.logsigmoid(centred + half)
    above_bottom = F.logsigmoid(half - centred)
    width = torch.log(-torch.expm1(-rate))
    bottom, top = level == 0, level == levels - 1
    inner = below_top + above_bottom + width
    return torch.where(bottom, below_top, torch.where(top, above_bottom, inner))


def pick(logits: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """Draw a component along dimension 1 by inversion; what is left of `u` is uniform again.

    Logits `(b, K, ...)` need not be normalised; `u` is `(b, 1, ...)`. Returns the index and the fresh
    uniform (up to rounding within 0 and 1), both `(b, 1, ...)`. In float64 where there is one, so that
    one number serves both draws.
    """
    weights = precise(logits).softmax(1)
    upper = weights.cumsum(1)
    index = (upper[:, :-1] < u).sum(1, keepdim=True)
    chosen = weights.gather(1, index).clamp_min_(LEAST_WEIGHT)
    return index, (u - upper.gather(1, index)).div_(chosen).add_(1)


class LogisticMixtureLevel(LevelDistribution):
    """A mixture of discretised logistics for one channel: `(b, K, h, w)` log-weights, means and rates."""

    def __init__(self, log_weights: Tensor, mean: Tensor, rate: Tensor, levels: int):
        self.log_weights, self.mean, self.rate, self.levels = log_weights, mean, rate, levels

    def log_prob(self, level: Tensor) -> Tensor:
        masses = log_mass(level.unsqueeze(1), self.mean, self.rate, self.levels)
        return torch.logsumexp(self.log_weights + masses, 1)

    def cdf(self, level: Tensor) -> Tensor:
        at = level.unsqueeze(1)
        below = ((at - self.mean + 0.5) * self.rate).sigmoid()
        total = (self.log_weights.exp() * below).sum(1)
        return torch.where(level >= self.levels - 1, 1.0, total)

    def sample(self, u: Tensor, temperature: float = 1.0) -> Tensor:
        index, rest = pick(self.log_weights / temperature, u.unsqueeze(1))
        mean, rate = self.mean.gather(1, index), self.rate.gather(1, index)
        drawn = mean + rest.logit(TINY).to(mean.dtype) * (temperature / rate)
        return drawn.round().clamp(0, self.levels - 1).squeeze(1).long()


class MixtureByChannel(PixelDistribution):
    """Every channel has a mixture of its own: logits, means and log-scales `(b, C, K, h, w)`."""

    def __init__(self, parameters: Tensor, channels: int, levels: int):
        b, _, h, w = parameters.shape
        self.parameters, self.channels, self.levels = parameters, channels, levels
        self.logits, self.means, self.log_scales = parameters.view(b, channels, 3, -1, h, w).unbind(2)

    @cached_property
    def _in_levels(self) -> tuple[Tensor, Tensor]:
        return in_levels(self.means, self.log_scales, self.levels)

    @property
    def mean(self) -> Tensor:
        return self._in_levels[0]

    @property
    def rate(self) -> Tensor:
        return self._in_levels[1]

    def channel(self, c: int, previous: Tensor) -> LogisticMixtureLevel:
        weights = self.logits[:, c].log_softmax(1)
        return LogisticMixtureLevel(weights, self.mean[:, c], self.rate[:, c], self.levels)

    def log_prob(self, levels: Tensor) -> Tensor:
        if fused.worthwhile(self.parameters):
            return fused.in_pieces(self.parameters, levels, self.logits.shape[2] * self.channels, self._fused)
        masses = log_mass(levels.unsqueeze(2), self.mean, self.rate, self.levels)
        return torch.logsumexp(self.logits.log_softmax(2) + masses, 2).sum(1)

    def _fused(self, parameters: Tensor, levels: Tensor) -> Tensor:
        """log p of a piece."""
        piece = MixtureByChannel(parameters, self.channels, self.levels)
        at = levels.unsqueeze(2).to(parameters.dtype)
        log_scales = bounded(piece.log_scales, log_scale_floor(self.levels))
        return fused.mixture_log_prob(piece.logits, piece.means, log_scales, at, self.levels).sum(1)


class CoupledLevel(LogisticMixtureLevel):
    """One channel of a coupled mixture, given those before it."""

    def __init__(self, pixel: "CoupledMixture", c: int, previous: Tensor, *mixture: Any):
        super().__init__(*mixture)
        self.pixel, self.c, self.previous = pixel, c, previous

    def sample(self, u: Tensor, temperature: float = 1.0) -> Tensor:
        if temperature == 1:
            return super().sample(u)
        # What the channels before say of the component, they say at the temperature, too.
        return self.pixel.tempered(temperature).channel(self.c, self.previous).sample(u)


class CoupledMixture(PixelDistribution):
    """One mixture for the whole RGB pixel; the means of G and B lean on the channels before them."""

    channels = 3

    def __init__(self, parameters: Tensor, levels: int):
        b, p, h, w = parameters.shape
        self.parameters, self.levels, self.floor = parameters, levels, log_scale_floor(levels)
        self.logits, rest = parameters.split([p // 10, p - p // 10], 1)
        self.rest = rest.view(b, 3, 3, p // 10, h, w)  # of each channel: means, log-scales, coefficients

    def tempered(self, temperature: float) -> "CoupledMixture":
        """The same mixture with its logits divided by T and ln T added to its log-scales."""
        means, log_scales, coefficients = self.rest.unbind(2)
        scaled = bounded(log_scales, self.floor) + log(temperature)
        rest = torch.stack([means, scaled, coefficients], 2).flatten(1, 3)
        made = CoupledMixture(torch.cat([self.logits / temperature, rest], 1), self.levels)
        made.floor = self.floor + log(temperature)
        return made

    @property
    def log_scales(self) -> Tensor:
        return self.rest[:, :, 1]

    def means_given(self, signal: Tensor) -> Tensor:
        """Means `(b, 3, K, h, w)` given the pixel's own signal `(b, 3, 1, h, w)` (eq. 3)."""
        red, green = signal[:, 0], signal[:, 1]
        means, _, coefficients = self.rest.unbind(2)
        bent = fused.tanh(coefficients) if fused.worthwhile(self.parameters) else coefficients.tanh()
        to_green, red_to_blue, green_to_blue = bent.unbind(1)
        lean = to_green * red, red_to_blue * red + green_to_blue * green
        return torch.stack([means[:, 0], means[:, 1] + lean[0], means[:, 2] + lean[1]], 1)

    def masses(self, levels: Tensor) -> Tensor:
        """log-mass of each channel under each component, `(b, 3, K, h, w)`."""
        at = levels.unsqueeze(2)
        signal = at.to(self.rest.dtype) * (2 / (self.levels - 1)) - 1
        mean, rate = in_levels(self.means_given(signal), self.log_scales, self.levels, self.floor)
        return log_mass(at, mean, rate, self.levels)

    def log_prob(self, levels: Tensor) -> Tensor:
        if fused.worthwhile(self.parameters):
            return fused.in_pieces(self.parameters, levels, 3 * self.logits.shape[1], self._fused)
        return torch.logsumexp(self.logits.log_softmax(1) + self.masses(levels).sum(1), 1)

    def _fused(self, parameters: Tensor, levels: Tensor) -> Tensor:
        """log p of a piece."""
        piece = CoupledMixture(parameters, self.levels)
        at = levels.unsqueeze(2).to(parameters.dtype)
        means = piece.means_given(at * (2 / (self.levels - 1)) - 1)
        log_scales = bounded(piece.log_scales, self.floor)
        return fused.mixture_log_prob(piece.logits[:, None], means, log_scales, at, self.levels)[:, 0]

    def channel(self, c: int, previous: Tensor) -> CoupledLevel:
        levels = F.pad(previous.long(), (0, 0, 0, 0, 0, 3 - c))  # channels from c on do not count here
        weights = (self.logits.log_softmax(1) + self.masses(levels)[:, :c].sum(1)).log_softmax(1)
        signal = levels.unsqueeze(2).to(self.rest.dtype) * (2 / (self.levels - 1)) - 1
        mean, rate = in_levels(self.means_given(signal), self.log_scales, self.levels, self.floor)
        return CoupledLevel(self, c, previous, weights, mean[:, c], rate[:, c], self.levels)

    def sample(self, u: Tensor, temperature: float = 1.0) -> Tensor:
        """Draw the component once for the pixel, then R, G and B from it; the law is the same.

        In units of levels, where coefficient * signal is coefficient * (level - half).
        """
        half = (self.levels - 1) / 2
        logits = self.logits if temperature == 1 else self.logits / temperature
        index, rest = pick(logits, u[:, :1])
        noise = torch.cat([rest, u[:, 1:]], 1).logit_(TINY).to(self.rest.dtype)
        chosen = self.rest.gather(3, index[:, None, None].expand(-1, 3, 3, -1, -1, -1)).squeeze(3)
        mean, log_scale, coefficient = chosen.unbind(2)
        scale = bounded(log_scale, self.floor).exp_()
        drawn = torch.addcmul(mean + 1, noise, scale, value=temperature).mul_(half)
        red, green, blue = drawn.unbind(1)  # views: `drawn` becomes the pixel, channel by channel
        to_green, red_to_blue, green_to_blue = coefficient.tanh().unbind(1)
        lean = red.round_().clamp_(0, 2 * half) - half
        green.addcmul_(to_green, lean).round_().clamp_(0, 2 * half)
        blue.addcmul_(red_to_blue, lean).addcmul_(green_to_blue, green - half).round_().clamp_(0, 2 * half)
        return drawn.long()


def in_levels(
    means: Tensor, log_scales: Tensor, levels: int, floor: float | None = None
) -> tuple[Tensor, Tensor]:
    """Means and log-scales on the signal's axis -> mean in levels, and rate = 1 / (scale in levels)."""
    within = bounded(log_scales, log_scale_floor(levels) if floor is None else floor)
    return (means + 1) * ((levels - 1) / 2), (2 / (levels - 1)) * torch.exp(-within)


@dataclass(frozen=True)
class LogisticMixture:
    """Discretised mixture of `mixtures` logistics; RGB channels are coupled as published."""

    mixtures: int = 10

    def __post_init__(self) -> None:
        if self.mixtures < 1:
            raise UserError(f"distribution.mixtures must be at least 1, not {self.mixtures}")

    def parameters(self, shape: ImageShape, by_channel: bool) -> int:
        coupled = shape.channels == 3 and not by_channel
        return self.mixtures * (10 if coupled else 3 * shape.channels)

    def __call__(self, parameters: Tensor, shape: ImageShape, by_channel: bool) -> PixelDistribution:
        if shape.channels == 3 and not by_channel:
            return CoupledMixture(parameters, shape.levels)
        return MixtureByChannel(parameters, shape.channels, shape.levels)
