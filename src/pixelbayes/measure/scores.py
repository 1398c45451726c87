"""How well the predicted classes fit the known ones."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.nn.functional import one_hot
from torchmetrics.functional.classification import multiclass_confusion_matrix

from .intervals import Counts, balanced_accuracies, macro_f1s
from .reliability import expected_calibration_error, reliability


@dataclass(frozen=True)
class Scores:
    """Shares in 0..1. `balanced_accuracy` and `macro_f1` are means over the classes that occur among the
    known labels (or, for `macro_f1`, among the predictions); `confidence` is the mean probability of the
    predicted class and `calibration_error` its expected distance from the accuracy (ECE, 15 bins)."""

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    confidence: float
    calibration_error: float
    log_loss: float
    """Mean of -log posterior(true class), in nats: the negative log likelihood (NLL) of the labels."""
    brier: float
    """Mean squared distance of the posterior from the truth, summed over the classes: 0..2 (Brier 1950)."""


@dataclass(frozen=True)
class ClassScores:
    """One class among the others. `precision`: of the images that were given this name, the share that bear it; None
    where none was. `recall`: of the class's images, the share that were found; None where it has none."""

    name: str
    images: int
    predicted: int
    precision: float | None
    recall: float | None
    f1: float | None


def scores(posterior: Tensor, labels: Tensor) -> Scores | None:
    """Posterior [N, K] and labels [N] (-1 unknown, left out) -> Scores; None where no label is known."""
    known = labels >= 0
    posterior, labels = posterior[known].double(), labels[known]
    if not len(labels):
        return None
    classes = posterior.shape[1]
    if classes == 1:
        return Scores(1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0)
    confusion = np.asarray(confusion_matrix(posterior, labels))
    counts = Counts(confusion.diagonal()[None], confusion.sum(1)[None], confusion.sum(0)[None])
    truth = posterior.gather(1, labels[:, None]).clamp_min(1e-300)
    return Scores(
        accuracy=int(confusion.trace()) / len(labels),
        balanced_accuracy=float(balanced_accuracies(counts)[0]),
        macro_f1=float(macro_f1s(counts)[0]),
        confidence=float(posterior.amax(1).mean()),
        calibration_error=expected_calibration_error(reliability(posterior, labels)),
        log_loss=float(-truth.log().mean()),
        brier=float((posterior - one_hot(labels, classes)).square().sum(1).mean()),
    )


def confusion_matrix(posterior: Tensor, labels: Tensor) -> list[list[int]]:
    """Counts [K, K] of images of known class: a row for each true class, a column for each predicted one."""
    known, classes = labels >= 0, posterior.shape[1]
    if classes == 1:
        return [[int(known.sum())]]
    matrix = multiclass_confusion_matrix(posterior[known].argmax(1), labels[known], classes)
    return [[int(count) for count in row] for row in matrix]


def class_scores(confusion: list[list[int]], names: tuple[str, ...]) -> tuple[ClassScores, ...]:
    """Counts [K, K] (rows true, columns predicted) -> precision, recall and F1 of each class.

    >>> [(each.name, each.precision, each.recall) for each in class_scores([[3, 1], [0, 0]], ("cat", "dog"))]
    [('cat', 1.0, 0.75), ('dog', 0.0, None)]
    """
    counts = np.asarray(confusion)
    rows = zip(names, counts.diagonal().tolist(), counts.sum(1).tolist(), counts.sum(0).tolist(), strict=True)
    return tuple(
        ClassScores(
            name,
            images,
            predicted,
            _share(right, predicted),
            _share(right, images),
            _share(2 * right, images + predicted),
        )
        for name, right, images, predicted in rows
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
