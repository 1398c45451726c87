"""The exponential moving average of the weights (Polyak & Juditsky 1992), with a bias-corrected start."""

from copy import deepcopy

import torch
from torch import Tensor

from ..model import AutoregressiveImageModel


def decay_of(horizon: float, total_steps: float) -> float:
    """The decay whose horizon, 1 / (1 - decay) steps, is a share of the run.

    >>> decay_of(0.1, 1000)
    0.99
    """
    return max(0.0, 1.0 - 1.0 / max(1.0, horizon * total_steps))


class Average:
    """A copy of `model` that holds averaged weights: `.model`, in evaluation mode.

    The mean is weighted: `mass = decay * mass + (1 - decay)`, `mean += (1 - decay) / mass * (weights - mean)`,
    so that the first update copies the weights and the random start leaves no trace.
    """

    def __init__(self, model: AutoregressiveImageModel) -> None:
        self.model = deepcopy(model).eval().requires_grad_(False)
        self.mass = 0.0
        self._mean: list[Tensor] = list(self.model.parameters())
        self._weights: list[Tensor] = list(model.parameters())

    @torch.no_grad()
    def update(self, decay: float) -> None:
        """Take the model's present weights in."""
        self.mass = decay * self.mass + (1.0 - decay)
        share = (1.0 - decay) / self.mass
        torch._foreach_lerp_(self._mean, self._weights, share)
