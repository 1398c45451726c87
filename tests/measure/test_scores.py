import pytest
import torch
from sklearn import metrics

from pixelbayes.measure import confusion_matrix, scores


def posterior_of(predicted, classes, certainty=0.7):
    rest = (1 - certainty) / (classes - 1)
    table = torch.full([len(predicted), classes], rest, dtype=torch.float64)
    return table.scatter(1, torch.tensor(predicted)[:, None], certainty)


def test_scores_agree_with_another_library():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 4, [200], generator=generator)
    posterior = torch.randn(200, 4, generator=generator).double().softmax(1)
    found, predicted = scores(posterior, labels), posterior.argmax(1)
    assert found.accuracy == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert found.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(labels, predicted))
    assert found.macro_f1 == pytest.approx(metrics.f1_score(labels, predicted, average="macro"))
    assert found.log_loss == pytest.approx(metrics.log_loss(labels, posterior))
    assert confusion_matrix(posterior, labels) == metrics.confusion_matrix(labels, predicted).tolist()


def test_unknown_labels_are_left_out():
    posterior = posterior_of([0, 1, 1, 0], 2)
    found = scores(posterior, torch.tensor([0, 1, -1, -1]))
    assert found.accuracy == 1.0
    assert confusion_matrix(posterior, torch.tensor([0, 1, -1, -1])) == [[1, 0], [0, 1]]
    assert scores(posterior, torch.full([4], -1)) is None


def test_balanced_accuracy_is_over_the_classes_that_occur():
    found = scores(posterior_of([0, 0, 2, 1], 4), torch.tensor([0, 0, 0, 1]))
    assert found.balanced_accuracy == pytest.approx((2 / 3 + 1) / 2)


def test_calibration_error_is_the_distance_of_confidence_from_accuracy():
    labels = torch.tensor([0, 0, 0, 1])  # right in 3 of 4, and 90 % sure
    found = scores(posterior_of([0, 0, 0, 0], 3, 0.9), labels)
    assert found.confidence == pytest.approx(0.9)
    assert found.calibration_error == pytest.approx(0.15, abs=1e-6)


def test_a_single_class_is_always_right():
    posterior = torch.ones(3, 1, dtype=torch.float64)
    assert scores(posterior, torch.tensor([0, 0, -1])).accuracy == 1.0
    assert confusion_matrix(posterior, torch.tensor([0, 0, -1])) == [[2]]
