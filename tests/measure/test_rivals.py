import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.svm import SVC

from pixelbayes.data import ImageSet
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape
from pixelbayes.measure import rivals
from pixelbayes.measure.rivals import _sample


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    pixels, labels = load_digits(return_X_y=True)
    levels = torch.tensor(pixels).to(torch.uint8).view(-1, 1, 8, 8)
    paths = [str(index) for index in range(len(levels))]
    return ImageSet(levels, torch.tensor(labels), paths, Labels(tuple("0123456789")), ImageShape(1, 8, 8, 17))


def test_simple_classifiers_of_the_digits(digits: ImageSet) -> None:
    train, held_out = digits[:400], digits[1500:]
    predicted = torch.where(
        torch.arange(297) % 2 == 0, held_out.labels, 0
    )  # a model that knows every second one
    found = {row.name: row for row in rivals(train, held_out, predicted)}
    assert set(found) == {"naive Bayes", "nearest neighbour", "SVM", "random forest"}
    assert all(0.7 < row.accuracy < 1 and row.wins for row in found.values())
    assert {(row.trained_on, row.images) for row in found.values()} == {(400, 297)}
    other = SVC(C=10.0).fit(train.levels.flatten(1).numpy() / 16, train.labels.numpy())
    assert found["SVM"].accuracy == pytest.approx(
        other.score(held_out.levels.flatten(1).numpy() / 16, held_out.labels.numpy()), abs=1e-9
    )
    assert found["SVM"].comparison.accuracies[1] == pytest.approx(
        float((predicted == held_out.labels).float().mean())
    )


def test_images_of_unknown_class_are_left_out(digits: ImageSet) -> None:
    train, held_out = digits[:60], digits[1500:1520]
    held_out.labels[::2] = -1
    found = rivals(train, held_out, held_out.labels)
    assert {row.images for row in found} == {10}
    held_out.labels[:] = -1
    assert rivals(train, held_out, held_out.labels) == []
    train.labels[:] = 3
    assert rivals(train, digits[:5], digits[:5].labels) == []


def test_of_many_images_a_part_is_taken_with_every_class() -> None:
    labels = torch.tensor([0] * 500 + [1] * 499 + [2])
    rows = _sample(labels, 50, seed=0)
    assert len(rows) == len(rows.unique()) == 50
    counts = np.bincount(labels[rows].numpy())
    assert counts[2] == 1
    assert abs(counts[0] - counts[1]) < 25
