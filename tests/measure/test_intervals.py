"""The intervals against other tools: SciPy's binomial test, and images drawn one by one."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score, f1_score

from pixelbayes.measure.intervals import score_intervals, wilson


@pytest.mark.parametrize(("right", "total"), [(20, 24), (0, 7), (7, 7), (1, 1), (983, 1000)])
def test_wilsons_interval_is_that_of_another_library(right: int, total: int) -> None:
    other = binomtest(right, total).proportion_ci(0.95, method="wilson")
    assert wilson(right, total) == pytest.approx((other.low, other.high))


def test_nothing_counted_is_nothing_known() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def confusion_of(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (labels, predicted), 1)
    return table


def test_the_bootstrap_is_that_of_images_drawn_one_by_one() -> None:
    noise = np.random.default_rng(3)
    labels = noise.choice(4, 90, p=(0.5, 0.3, 0.15, 0.05))
    predicted = np.where(noise.random(90) < 0.75, labels, noise.integers(0, 4, 90))
    found = score_intervals(confusion_of(labels, predicted, 4))
    rows = noise.integers(0, 90, (1500, 90))
    true, named = np.eye(4)[labels[rows]], np.eye(4)[predicted[rows]]  # [draws, images, classes]
    right, images, answers = (true * named).sum(1), true.sum(1), named.sum(1)
    balanced = np.nanmean(np.where(images > 0, right / images.clip(1), np.nan), 1)
    f1 = np.nanmean(np.where(images + answers > 0, 2 * right / (images + answers).clip(1), np.nan), 1)
    assert balanced[0] == pytest.approx(balanced_accuracy_score(labels[rows[0]], predicted[rows[0]]))
    assert f1[0] == pytest.approx(f1_score(labels[rows[0]], predicted[rows[0]], average="macro"))
    assert found["balanced_accuracy"] == pytest.approx(np.quantile(balanced, (0.025, 0.975)), abs=0.02)
    assert found["macro_f1"] == pytest.approx(np.quantile(f1, (0.025, 0.975)), abs=0.02)


def test_the_same_figures_have_the_same_interval_every_time() -> None:
    counts = np.array([[8, 2], [1, 9]])
    assert score_intervals(counts) == score_intervals(counts)


def test_all_right_is_not_certainty() -> None:
    found = score_intervals(np.diag([3, 4, 5]))
    assert found["macro_f1"] == found["balanced_accuracy"] == found["accuracy"] == wilson(12, 12)
    assert found["accuracy"].low < 0.8


def test_a_thousand_classes_are_no_burden() -> None:
    noise = np.random.default_rng(0)
    labels = noise.integers(0, 1000, 2000)
    predicted = np.where(noise.random(2000) < 0.6, labels, noise.integers(0, 1000, 2000))
    found = score_intervals(confusion_of(labels, predicted, 1000))
    share = float((labels == predicted).mean())
    assert found["accuracy"].low < share < found["accuracy"].high
    assert 0.03 < found["balanced_accuracy"].high - found["balanced_accuracy"].low < 0.06
