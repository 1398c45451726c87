"""What a model's training images look like to its statistics, and the scores that compare others with them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .density import LEAST_SCALE, Density, fit_density
from .statistics import Statistics

ONE_SIDED = ("complexity", "local", "stirring", "ratio")
"""Scores that are set against the image's own complexity: too much is foreign, too little is not."""


@dataclass(frozen=True)
class Reference:
    """Fitted on the statistics of training images."""

    typical: float
    """Mean log p(x), nats."""
    density: Density
    means: Tensor
    """Of those of `ONE_SIDED` that are measured, in their order, float64."""
    spreads: Tensor
    """Their standard deviations."""

    def scores(self, statistics: Statistics) -> dict[str, Tensor]:
        """Every score [N] by name, higher: more foreign; `together` is the mean of the standardised one-sided ones."""
        table = statistics.scores(self.typical)
        standard = (_one_sided(table) - self.means) / self.spreads
        return {
            **table,
            "dose": -self.density.log_prob(statistics.features()),
            "together": standard.mean(1),
        }


def fit_reference(statistics: Statistics, seed: int = 0) -> Reference:
    """From the statistics of training images."""
    typical = float(statistics.log_prob.mean())
    columns = _one_sided(statistics.scores(typical))
    spreads = columns.std(0, correction=0).clamp_min(LEAST_SCALE)
    return Reference(typical, fit_density(statistics.features(), seed), columns.mean(0), spreads)


def _one_sided(table: dict[str, Tensor]) -> Tensor:
    return torch.stack([table[name] for name in ONE_SIDED if name in table], 1)
