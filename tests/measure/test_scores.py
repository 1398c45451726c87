import pytest
import torch
from sklearn import metrics
from torchmetrics.functional.classification import multiclass_calibration_error

from pixelbayes.measure import class_scores, confusion_matrix, reliability, scores, surest_mistakes


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
    onehot = torch.eye(4)[labels]
    assert found.brier == pytest.approx(float(((posterior - onehot) ** 2).sum(1).mean()))
    assert found.calibration_error == pytest.approx(
        float(multiclass_calibration_error(posterior, labels, 4, n_bins=15)), abs=1e-6
    )
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


def test_precision_and_recall_of_each_class_agree_with_another_library():
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 4, [80], generator=generator)
    posterior = torch.randn(80, 4, generator=generator).double().softmax(1)
    found = class_scores(confusion_matrix(posterior, labels), ("a", "b", "c", "d"))
    precision, recall, f1, images = metrics.precision_recall_fscore_support(labels, posterior.argmax(1))
    assert [each.precision for each in found] == pytest.approx(precision.tolist())
    assert [each.recall for each in found] == pytest.approx(recall.tolist())
    assert [each.f1 for each in found] == pytest.approx(f1.tolist())
    assert [each.images for each in found] == images.tolist()


def test_a_class_that_nobody_named_has_no_precision():
    dog = class_scores([[3, 0, 0], [2, 0, 0], [0, 0, 0]], ("cat", "dog", "eel"))[1:]
    assert [(each.precision, each.recall, each.f1) for each in dog] == [(None, 0.0, 0.0), (None, None, None)]


def test_bins_hold_every_image_of_known_class_once():
    generator = torch.Generator().manual_seed(2)
    posterior = torch.randn(300, 5, generator=generator).double().softmax(1)
    posterior[0] = torch.eye(5, dtype=torch.float64)[0]
    labels = torch.randint(-1, 5, [300], generator=generator)
    bins = reliability(posterior, labels)
    assert sum(each.images for each in bins) == int((labels >= 0).sum())
    assert all(each.low < each.confidence <= each.high and each.images for each in bins)
    right = sum(each.images * each.accuracy for each in bins) / sum(each.images for each in bins)
    assert right == pytest.approx(scores(posterior, labels).accuracy)


def test_the_surest_mistakes_come_first():
    posterior = torch.tensor([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.99, 0.01]], dtype=torch.float64)
    assert surest_mistakes(posterior, torch.tensor([1, 1, 1, -1])).tolist() == [1, 0]
