"""From log p(x | c) to p(c | x): the prior, and a calibration of what a network claims."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .distributed import in_float64


@dataclass(frozen=True)
class Calibration:
    """Posterior = softmax(log p(x|c) / temperature + offsets + log prior); fitted on whole validation images.

    The temperature mends what the network claims about an image, which a prior has no part in: a prior of 10 to 1
    shifts the log odds by ln 10, whatever the temperature.
    """

    temperature: float = 1.0
    offsets: tuple[float, ...] = ()

    @property
    def active(self) -> bool:
        """Whether it changes anything."""
        return self.temperature != 1.0 or any(self.offsets)

    def of_part(self, share: float) -> "Calibration":
        """The calibration of a part that holds this share of an image's pixels: temperature 1 + (T - 1) * share.

        Evidence of n pixels, each with an error of its own and one that all of them have in common, has a mean that
        grows as n and a variance of a n + b n^2. It can be believed where the variance is twice the mean: divided
        by a temperature T whose excess T - 1 grows as n. Offsets, in nats before the division, grow as n, too.
        `share` may be above 1, where pixels count twice.

        >>> Calibration(1.8, (0.9, -0.9)).of_part(0.25)
        Calibration(temperature=1.2, offsets=(0.3375, -0.3375))
        """
        if share == 1:
            return self
        temperature = 1 + (self.temperature - 1) * share
        temperature = max(
            temperature, min(self.temperature, 1.0)
        )  # below 1, a part that counts often would pass 0
        part = share * self.temperature / temperature
        return Calibration(temperature, tuple(offset * part for offset in self.offsets))

    def posterior(self, log_likelihoods: Tensor, log_prior: Tensor | None = None) -> Tensor:
        """log p(x|c) `(n, classes)` and log p(c) `(classes,)` in nats (uniform when None) -> probabilities, float64."""
        return self.scores(log_likelihoods, log_prior).softmax(1)

    def scores(self, log_likelihoods: Tensor, log_prior: Tensor | None = None) -> Tensor:
        """The same, as the logarithm of the posterior up to a constant for each image."""
        scores = in_float64(log_likelihoods) / self.temperature
        for term in (scores.new_tensor(self.offsets) if self.offsets else None, log_prior):
            scores = scores if term is None else scores + term
        return scores


def log_prior(weights: Sequence[float]) -> Tensor:
    """log p(c) `(classes,)`, float64, of a prior's weights, which need not sum to one.

    >>> log_prior((3.0, 1.0)).exp()
    tensor([0.7500, 0.2500], dtype=torch.float64)
    """
    prior = torch.tensor(tuple(weights), dtype=torch.float64)
    return (prior / prior.sum()).log()
