"""Held-out images stay held out when the data change."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelbayes.data import DataConfig, Dataset, open_dataset, open_images
from pixelbayes.errors import UserError

from .conftest import noise

CONFIG = DataConfig(validation_share=0.25)


@pytest.fixture
def root(write_images) -> Path:
    return write_images({"cat": 12, "dog": 12})


def validation(data: Dataset) -> tuple[list[str], tuple[str, ...]]:
    images = open_images(
        data.preparation.source, data.shape, data.preparation, data.classes, split="validation"
    )
    return images.paths, images.notices


def add(root: Path, count: int) -> None:
    for row in range(count):
        Image.fromarray(noise(1000 + row)).save(root / "cat" / f"0{row}-new.png")


def test_unchanged_data_say_nothing(root: Path) -> None:
    data = open_dataset(root, CONFIG)
    assert validation(data) == (data.validation.paths, ())


def test_added_images_are_not_measured(root: Path) -> None:
    data = open_dataset(root, CONFIG)
    add(root, 9)
    assert open_dataset(root, CONFIG).validation.paths != data.validation.paths
    paths, notices = validation(data)
    assert paths == data.validation.paths
    assert "all the 6 images that it held out are left" in notices[0]


def test_removed_renamed_and_replaced_images(root: Path) -> None:
    data = open_dataset(root, CONFIG)
    gone, renamed, replaced, *others = data.validation.paths
    (root / gone).unlink()
    (root / renamed).rename(root / "dog" / "another.png")
    Image.fromarray(noise(77)).save(root / replaced)
    paths, notices = validation(data)
    assert paths == ["dog/another.png", *others]
    assert "4 of the 6 images" in notices[0]


def test_where_none_is_left_it_is_an_error(root: Path) -> None:
    data = open_dataset(root, CONFIG)
    for path in data.validation.paths:
        (root / path).unlink()
    with pytest.raises(UserError, match="none of the 6 images that the training held out is left"):
        validation(data)


def test_a_fold_is_remembered(root: Path) -> None:
    data = open_dataset(root, DataConfig(folds=3, fold=1))
    add(root, 5)
    assert validation(data)[0] == data.validation.paths


def test_a_test_split_that_was_drawn_is_remembered_and_one_that_was_given_is_not(write_images) -> None:
    digits = open_dataset("digits")
    assert set(digits.preparation.held_out) == {"validation", "test"}
    given = open_dataset(write_images({f"{split}/{name}": 4 for split in ("train", "val") for name in "ab"}))
    assert given.preparation.held_out == {}


def test_training_on_from_a_model_holds_out_what_it_held_out(root: Path) -> None:
    before = open_dataset(root, CONFIG)
    add(root, 9)
    renamed = before.validation.paths[0]
    (root / renamed).rename(root / "dog" / "another.png")
    data = open_dataset(root, CONFIG, before.shape, known=before.preparation)
    assert sorted(data.validation.paths) == sorted(["dog/another.png", *before.validation.paths[1:]])
    assert not set(data.validation.paths) & set(data.train.paths)
    assert len(data.train) + len(data.validation) == 33
    other = open_dataset(root, DataConfig(split_seed=3), before.shape, known=before.preparation)
    assert sorted(other.validation.paths) != sorted(data.validation.paths)


def test_a_damaged_record_is_one_line(root: Path) -> None:
    data = open_dataset(root, CONFIG)
    data.preparation = replace(data.preparation, held_out={"validation": "this is none"})
    with pytest.raises(UserError, match="record of its held-out images is damaged"):
        validation(data)


def test_the_record_is_small(root: Path) -> None:
    data = open_dataset(root, CONFIG)
    assert len(data.preparation.held_out["validation"]) == 16 * len(data.validation)
    assert np.array_equal(data.validation.levels, open_dataset(root, CONFIG).validation.levels)
