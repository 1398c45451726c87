"""How well the predicted classes fit the known ones."""

from dataclasses import dataclass

from torch import Tensor
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_calibration_error,
    multiclass_confusion_matrix,
    multiclass_f1_score,
    multiclass_recall,
)


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
    """Mean of -log posterior(true class), in nats."""


def scores(posterior: Tensor, labels: Tensor) -> Scores | None:
    """Posterior [N, K] and labels [N] (-1 unknown, left out) -> Scores; None where no label is known."""
    known = labels >= 0
    posterior, labels = posterior[known].double(), labels[known]
    if not len(labels):
        return None
    classes = posterior.shape[1]
    if classes == 1:
        return Scores(1.0, 1.0, 1.0, 1.0, 0.0, 0.0)
    predicted = posterior.argmax(1)
    recall = multiclass_recall(predicted, labels, classes, average="none")
    truth = posterior.gather(1, labels[:, None]).clamp_min(1e-300)
    return Scores(
        accuracy=float(multiclass_accuracy(predicted, labels, classes, average="micro")),
        balanced_accuracy=float(recall[labels.unique()].mean()),
        macro_f1=float(multiclass_f1_score(predicted, labels, classes, average="macro")),
        confidence=float(posterior.amax(1).mean()),
        calibration_error=float(multiclass_calibration_error(posterior, labels, classes, n_bins=15)),
        log_loss=float(-truth.log().mean()),
    )


def confusion_matrix(posterior: Tensor, labels: Tensor) -> list[list[int]]:
    """Counts [K, K] of images of known class: a row for each true class, a column for each predicted one."""
    known, classes = labels >= 0, posterior.shape[1]
    if classes == 1:
        return [[int(known.sum())]]
    matrix = multiclass_confusion_matrix(posterior[known].argmax(1), labels[known], classes)
    return [[int(count) for count in row] for row in matrix]
