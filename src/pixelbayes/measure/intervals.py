"""How sure a figure is that was measured on some images: intervals that hold the true value with 95 %.

A share of images (accuracy) has Wilson's score interval (Wilson 1927; recommended by Brown, Cai and DasGupta 2001),
which is sane for few images and for 100 %. A figure that is no share (balanced accuracy, macro F1) has the percentile
bootstrap over images (Efron 1979). Both say how much the choice of the images alone can do: neither knows of another
training run, nor of images from elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

Z95 = 1.959963984540054  # the normal distribution's 97.5 % quantile
DRAWS = 2_000
NUMBERS_AT_ONCE = 5_000_000  # of the drawn tables


class Interval(NamedTuple):
    """The ends of a 95 % interval."""

    low: float
    high: float


def wilson(successes: int, total: int, z: float = Z95) -> Interval:
    """Wilson's score interval of a share: `successes` of `total`; the whole of 0..1 where nothing was counted.

    >>> tuple(round(end, 3) for end in wilson(20, 24))
    (0.641, 0.933)
    """
    if not total:
        return Interval(0.0, 1.0)
    share, square = successes / total, z * z / total
    middle = (share + square / 2) / (1 + square)
    half = z / (1 + square) * sqrt(share * (1 - share) / total + square / (4 * total))
    # At 0 and 1 the formula ends there exactly; rounding must not go past it.
    return Interval(
        0.0 if successes == 0 else max(0.0, middle - half),
        1.0 if successes == total else min(1.0, middle + half),
    )


@dataclass(frozen=True)
class Counts:
    """Images [D, K] in each of D draws, for each of K classes: named right, of the class, given its name."""

    right: np.ndarray
    images: np.ndarray
    predicted: np.ndarray


Figure = Callable[[Counts], np.ndarray]
"""Counts -> the figure of each draw [D]."""


def bootstrap(confusion: np.ndarray, figures: dict[str, Figure], seed: int = 0) -> dict[str, Interval]:
    """The percentile interval of each figure over images drawn anew, from counts [K, K] (rows true, columns predicted).

    Drawing n images with replacement is drawing the counts of the matrix's cells (a multinomial). Where no image got a
    wrong name, every draw is perfect and says nothing: the interval is then Wilson's for the accuracy.
    """
    total = int(confusion.sum())
    if not total or int(confusion.trace()) == total:
        return dict.fromkeys(figures, wilson(total, total))
    rows, columns = confusion.nonzero()  # of the cells that are not empty, at most as many as images
    sums = [
        csr_matrix((marks, (range(len(rows)), places)), shape=(len(rows), len(confusion)))
        for marks, places in (
            (rows == columns, rows),
            (np.ones_like(rows), rows),
            (np.ones_like(rows), columns),
        )
    ]
    noise, values_of = np.random.default_rng(seed), {name: list[np.ndarray]() for name in figures}
    at_once = max(1, min(DRAWS, NUMBERS_AT_ONCE // max(len(rows), len(confusion))))
    for start in range(0, DRAWS, at_once):
        cells = noise.multinomial(total, confusion[rows, columns] / total, min(at_once, DRAWS - start))
        counts = Counts(*(cells @ each.astype(np.int64) for each in sums))
        for name, figure in figures.items():
            values_of[name].append(figure(counts))
    ends = {name: np.quantile(np.concatenate(values), (0.025, 0.975)) for name, values in values_of.items()}
    return {name: Interval(float(low), float(high)) for name, (low, high) in ends.items()}


def balanced_accuracies(counts: Counts) -> np.ndarray:
    """The mean recall over the classes that occur, of each draw [D]."""
    recall = counts.right / counts.images.clip(1)
    return recall.sum(1) / (counts.images > 0).sum(1)


def macro_f1s(counts: Counts) -> np.ndarray:
    """The mean F1 over the classes that occur or were predicted, of each draw [D]."""
    either = counts.images + counts.predicted
    return (2 * counts.right / either.clip(1)).sum(1) / (either > 0).sum(1)


def score_intervals(confusion: "list[list[int]] | np.ndarray") -> dict[str, Interval]:
    """The 95 % intervals of accuracy, balanced accuracy and macro F1, from counts [K, K] (rows true)."""
    counts = np.asarray(confusion)
    drawn = bootstrap(counts, {"balanced_accuracy": balanced_accuracies, "macro_f1": macro_f1s})
    return {"accuracy": wilson(int(counts.trace()), int(counts.sum())), **drawn}
