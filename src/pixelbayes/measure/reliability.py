"""Is the model right as often as it says? The bins of a reliability diagram (DeGroot and Fienberg 1983)."""

from dataclasses import dataclass

import torch
from torch import Tensor

BINS = 15


@dataclass(frozen=True)
class Bin:
    """The images whose answer had a probability in (low, high]."""

    low: float
    high: float
    images: int
    confidence: float
    """Mean probability of the answers."""
    accuracy: float
    """Share of right ones."""


def reliability(posterior: Tensor, labels: Tensor, bins: int = BINS) -> tuple[Bin, ...]:
    """Posterior [N, K] and labels [N] (-1 unknown, left out) -> the bins that hold images, from low to high.

    Bins of equal width, as in the expected calibration error: sum of images * |accuracy - confidence| / all images.
    """
    known = labels >= 0
    sure, predicted = posterior[known].double().max(1)
    right = (predicted == labels[known]).double()
    bin_of = ((sure * bins).ceil().long() - 1).clamp(0, bins - 1)
    occupied = []
    for index in bin_of.unique().tolist():
        own = bin_of == index
        occupied.append(
            Bin(
                index / bins,
                (index + 1) / bins,
                int(own.sum()),
                float(sure[own].mean()),
                float(right[own].mean()),
            )
        )
    return tuple(occupied)


def expected_calibration_error(bins: tuple[Bin, ...]) -> float:
    """The mean distance of accuracy from confidence (ECE, Naeini et al. 2015), over images.

    >>> expected_calibration_error((Bin(0.8, 1.0, 10, 0.9, 0.7),))
    0.2
    """
    total = sum(each.images for each in bins)
    return round(sum(each.images * abs(each.accuracy - each.confidence) for each in bins) / max(1, total), 12)


def surest_mistakes(posterior: Tensor, labels: Tensor) -> Tensor:
    """The rows [M] of the images of known class that got a wrong name, the surest first."""
    sure, predicted = posterior.max(1)
    wrong = ((predicted != labels) & (labels >= 0)).nonzero().flatten()
    return wrong[torch.argsort(sure[wrong], descending=True, stable=True)]
