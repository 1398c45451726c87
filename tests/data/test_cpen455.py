"""The course's images, all of them."""

from pathlib import Path

import pytest

from pixelbayes.data import DataConfig, Dataset, open_dataset, open_images

NAMES = ("burger", "panda", "koala", "pizza")


@pytest.fixture(scope="module")
def course(shared: Path) -> Dataset:
    return open_dataset(shared / "data" / "cpen455", DataConfig(class_names=NAMES))


def test_counts_and_shape(course: Dataset) -> None:
    assert str(course.shape) == "3x32x32, 256 levels"
    assert course.train.counts() == [1040, 1039, 1040, 1040]
    assert course.validation.counts() == [130, 130, 129, 130]
    assert len(course.test) == 519
    assert len(course.test.labelled) == 0
    assert "12 of 5,197 images are grey and are converted to RGB" in course.notices


def test_the_second_start_and_the_validation_csv_give_the_same(course: Dataset, shared: Path) -> None:
    again = open_dataset(shared / "data" / "cpen455", DataConfig(class_names=NAMES))
    assert (again.train.levels == course.train.levels).all()
    source = shared / "data" / "cpen455" / "validation.csv"
    images = open_images(source, course.shape, course.preparation, course.classes)
    assert (images.levels == course.validation.levels).all()
    assert (images.labels == course.validation.labels).all()
    assert images.paths[0] == "validation/0000009.jpg"
