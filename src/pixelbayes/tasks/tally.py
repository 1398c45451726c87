"""What is told of a classification at the end, however many answers it has."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from torch import Tensor

from .classify import Classification

SHOWN = 10
"""Answers that are kept to be shown."""


@dataclass
class Tally:
    """What is told of the answers at the end, in memory that does not grow with them."""

    classes: int
    confusion: np.ndarray = field(init=False)
    """Images of known class [K, K]: a row for each true class, a column for each predicted one."""
    unknown: np.ndarray = field(init=False)
    """Predictions [K] of images of unknown class."""
    left_out: list[str] = field(default_factory=list)
    """Images that could not be read."""
    none: int = 0
    """Answers 'none of these', which are in no other count."""
    first: list[tuple[str, ...]] = field(default_factory=list)
    """The rows of the first few."""

    def __post_init__(self) -> None:
        self.confusion = np.zeros((self.classes, self.classes), np.int64)
        self.unknown = np.zeros(self.classes, np.int64)

    def add(self, answer: Classification, paths: Sequence[str], labels: Tensor) -> None:
        predicted, known = answer.predicted.numpy(), (labels >= 0).numpy()
        named = predicted >= 0
        np.add.at(self.confusion, (labels.numpy()[known & named], predicted[known & named]), 1)
        np.add.at(self.unknown, predicted[~known & named], 1)
        self.none += int((~named).sum())
        if len(self.first) <= SHOWN:
            self.first += islice(answer.rows(paths, labels), SHOWN + 1)

    @property
    def known(self) -> int:
        """Answered images of known class."""
        return int(self.confusion.sum())

    @property
    def answered(self) -> int:
        return self.known + int(self.unknown.sum()) + self.none

    @property
    def accuracy(self) -> float:
        return float(self.confusion.trace() / self.known)

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall over the classes that occur."""
        total = self.confusion.sum(1)
        return float((self.confusion.diagonal()[total > 0] / total[total > 0]).mean())

    @property
    def macro_f1(self) -> float:
        """Mean F1 over the classes that occur or are predicted."""
        total = self.confusion.sum(0) + self.confusion.sum(1)
        return float((2 * self.confusion.diagonal()[total > 0] / total[total > 0]).mean())
