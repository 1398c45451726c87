"""Held-out images stay held out when the data change."""

from dataclasses import replace
from pathlib import Path
from shutil import copy, rmtree

import numpy as np
import pytest
from PIL import Image

from pixelbayes.data import DataConfig, Dataset, open_dataset, open_images
from pixelbayes.data.held_out import count_trained, prints, recall, recall_prints, remember_trained
from pixelbayes.errors import UserError
from pixelbayes.records import DataRecord

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


def given(write_images, **counts: int) -> Path:
    return write_images(
        {f"{split}/{name}": count for split, count in counts.items() for name in ("cat", "dog")}
    )


def test_splits_are_remembered_whether_drawn_or_given(write_images) -> None:
    digits = open_dataset("digits")
    assert set(digits.preparation.held_out) == {"validation", "test"}
    data = open_dataset(given(write_images, train=6, val=3, test=2))
    assert {split: len(pairs) for split, pairs in recall(data.preparation.held_out).items()} == {
        "validation": 6,
        "test": 4,
    }


def trained(data: Dataset) -> Dataset:
    """The data as a model that was trained on them remembers them."""
    data.preparation = replace(data.preparation, trained_on=remember_trained(data.train, DataRecord()))
    return data


def test_given_splits_are_held_out_wherever_their_images_lie_now(write_images) -> None:
    root = given(write_images, train=6, val=3)
    data = trained(open_dataset(root))
    (root / "val/cat/00.png").rename(root / "train/cat/moved.png")
    (root / "train/dog/00.png").rename(root / "val/dog/moved.png")
    (root / "val/dog/01.png").unlink()
    paths, notices = validation(data)
    assert sorted(paths) == [
        "train/cat/moved.png",
        *(f"val/{name}.png" for name in ("cat/01", "cat/02", "dog/00", "dog/02")),
    ]
    assert "5 of the 6 images that it held out are left" in notices[0]
    train = open_images(root, data.shape, data.preparation, data.classes, split="train")
    assert len(train) == 12
    assert "val/dog/moved.png" in train.paths
    assert "train/cat/moved.png" not in train.paths


def test_held_out_images_are_measured_though_those_of_the_training_are_gone(write_images) -> None:
    root = given(write_images, train=6, val=3)
    data = trained(open_dataset(root))
    rmtree(root / "train")
    assert validation(data)[0] == data.validation.paths
    with pytest.raises(UserError, match="no training images"):
        open_dataset(root)


def test_a_validation_folder_that_went_away_is_not_drawn_from_the_training_images(write_images) -> None:
    root = given(write_images, train=6, val=3)
    data = trained(open_dataset(root))
    rmtree(root / "val")
    with pytest.raises(UserError, match="none of the 6 images that the training held out is left"):
        validation(data)


def test_a_split_that_came_later_is_measured_without_the_images_trained_on(write_images) -> None:
    root = given(write_images, train=6, val=3)
    data = trained(open_dataset(root))
    (root / "test/cat").mkdir(parents=True)
    copy(root / "train/cat/02.png", root / "test/cat/02.png")
    with pytest.raises(UserError, match="trained on all the test images"):
        open_images(root, data.shape, data.preparation, data.classes, split="test")
    Image.fromarray(noise(1000)).save(root / "test/cat/new.png")
    images = open_images(root, data.shape, data.preparation, data.classes, split="test")
    assert images.paths == ["test/cat/new.png"]
    assert "trained on 1 of the 2 test images" in images.notices[0]


def test_a_model_to_start_from_keeps_apart_what_was_given(write_images) -> None:
    root = given(write_images, train=6, val=3)
    before = trained(open_dataset(root)).preparation
    (root / "val/cat/00.png").rename(root / "train/cat/moved.png")
    (root / "train/dog/00.png").rename(root / "val/dog/moved.png")
    data = open_dataset(root, known=before)
    assert "train/cat/moved.png" in data.validation.paths
    assert "val/dog/moved.png" in data.train.paths
    assert (len(data.train), len(data.validation)) == (12, 6)
    said = " ".join(data.notices)
    assert "validation images again: 1 of the 12 training images" in said
    assert "training images again: 1 of the 7 validation images" in said


def test_in_other_data_images_that_were_trained_on_are_not_held_out(write_images) -> None:
    before = trained(open_dataset(given(write_images, train=6, val=3))).preparation
    other = write_images({"cat": 9, "dog": 9}, folder="other")  # the first six of them are images of before
    data = open_dataset(other, DataConfig(validation_share=0.5), known=before)
    seen = recall_prints(before.trained_on)
    assert len(data.validation) > 0
    assert not any(content in seen for content in prints(data.validation))
    assert count_trained(before, data.train) == len(seen & set(prints(data.train))) > 0


def test_of_a_table_the_images_that_are_left_are_measured(write_images) -> None:
    root = write_images({"a": 8, "b": 8})
    rows = [f"{name}/{row:02d}.png,{name}" for name in "ab" for row in range(8)]
    for split, part in (("train", rows[::2]), ("validation", rows[1::2])):
        (root / f"{split}.csv").write_text("path,label\n" + "\n".join(part) + "\n")
    data = open_dataset(root)
    (root / "a/01.png").unlink()
    (root / "b/02.png").unlink()
    paths, notices = validation(data)
    assert len(paths) == 7
    assert "7 of the 8 images that it held out are left" in notices[0]
    with pytest.raises(UserError, match=r"train.csv names a missing file: b/02.png"):
        open_dataset(root)
    with pytest.raises(UserError, match="names a missing file"):
        open_images(root / "train.csv", data.shape, data.preparation, data.classes)


def test_a_row_that_moved_to_another_table_stays_with_those_of_the_test_split(write_images) -> None:
    root = write_images({"a": 10, "b": 10})
    rows = [f"{name}/{row:02d}.png,{name}" for row in range(10) for name in "ab"]

    def write(split: str, part: list[str]) -> None:
        (root / f"{split}.csv").write_text("path,label\n" + "\n".join(part) + "\n")

    write("train", rows[:14])
    write("test", rows[14:])
    before = open_dataset(root, CONFIG)
    write("train", rows[:15])
    write("test", rows[15:])
    data = open_dataset(root, CONFIG, known=before.preparation)
    assert sorted(data.test.paths) == sorted(before.test.paths)
    assert sorted(data.validation.paths) == sorted(before.validation.paths)


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
