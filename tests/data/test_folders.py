"""Folders of classes, with and without splits, and what is wrong with some."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelbayes.data import DataConfig, open_dataset
from pixelbayes.errors import UserError


def test_a_split_is_made_stratified_and_seeded(write_images) -> None:
    root = write_images({"cat": 20, "dog": 10})
    data = open_dataset(root, DataConfig(validation_share=0.2))
    assert data.classes.names == ("cat", "dog")
    assert data.train.counts() == [16, 8]
    assert data.validation.counts() == [4, 2]
    assert data.validation.paths == open_dataset(str(root), DataConfig(validation_share=0.2)).validation.paths
    other = open_dataset(root, DataConfig(validation_share=0.2, split_seed=1))
    assert other.validation.paths != data.validation.paths
    assert not set(data.train.paths) & set(data.validation.paths)


@pytest.mark.parametrize("validation", ["validation", "val", "valid"])
def test_given_splits_are_kept(write_images, validation: str) -> None:
    root = write_images({f"train/{name}": 6 for name in "ab"} | {f"{validation}/{name}": 2 for name in "ab"})
    data = open_dataset(root)
    assert {name: len(images) for name, images in data.splits.items()} == {"train": 12, "validation": 4}


def test_an_unlabelled_test_folder_keeps_unknown_labels(write_images) -> None:
    root = write_images({"train/a": 5, "train/b": 5, "test": 3})
    data = open_dataset(root)
    assert data.test.labels.tolist() == [-1, -1, -1]
    assert len(data.test.labelled) == 0


def test_pixels_arrive_unchanged_when_small(write_images) -> None:
    root = write_images({"a": 3, "b": 3}, height=9, width=7)
    data = open_dataset(root, DataConfig(validation_share=0))
    assert (data.shape.channels, data.shape.height, data.shape.width) == (3, 9, 7)
    file = np.asarray(Image.open(root / data.train.paths[4]))
    assert (data.train.levels[4].permute(1, 2, 0).numpy() == file).all()


@pytest.mark.parametrize("counts", [{"": 4}, {"only": 4}])
def test_flat_folder_or_one_class_is_unconditional_and_says_so(write_images, counts) -> None:
    data = open_dataset(write_images(counts))
    assert len(data.classes) == 0
    assert any("unconditional" in notice for notice in data.notices)


def test_classes_in_the_order_of_classes_txt(write_images) -> None:
    root = write_images({"a": 4, "b": 4})
    (root / "classes.txt").write_text("b\na\n")
    assert open_dataset(root).classes.names == ("b", "a")


def test_no_images_is_an_error_that_names_the_folder(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("nothing here")
    with pytest.raises(UserError, match=r"holds no images"):
        open_dataset(tmp_path)


def test_a_missing_folder_and_an_unknown_word(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        open_dataset(tmp_path / "nothing")
    with pytest.raises(UserError, match="did you mean 'mnist'"):
        open_dataset("mnits")


def spoil(root: Path) -> list[str]:
    """Four files that are no images, each in its own way."""
    (root / "a" / "empty.png").write_bytes(b"")
    (root / "a" / "foreign.png").write_text("this is no image")
    whole = (root / "b" / "00.png").read_bytes()
    (root / "b" / "short.png").write_bytes(whole[: len(whole) // 2])
    Image.open(root / "b" / "00.png").convert("RGB").save(root / "b" / "cut.jpg", quality=95)
    jpeg = (root / "b" / "cut.jpg").read_bytes()
    (root / "b" / "cut.jpg").write_bytes(jpeg[: len(jpeg) * 2 // 3])
    return ["a/empty.png", "a/foreign.png", "b/short.png", "b/cut.jpg"]


def test_every_bad_file_is_named_and_left_out_only_when_asked(write_images) -> None:
    root = write_images({"a": 4, "b": 4})
    bad = spoil(root)
    with pytest.raises(UserError) as caught:
        open_dataset(root, DataConfig(validation_share=0))
    assert all(name in str(caught.value) for name in bad)
    assert "\n" not in str(caught.value)
    assert "empty.png (empty)" in str(caught.value)
    data = open_dataset(root, DataConfig(skip_bad_images=True, validation_share=0))
    assert data.train.counts() == [4, 4]
    assert any("4 unreadable" in notice for notice in data.notices)


def test_only_bad_files(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"x\.png \(empty\)"):
        open_dataset(tmp_path)
    with pytest.raises(UserError):
        open_dataset(tmp_path, DataConfig(skip_bad_images=True))


def test_a_class_of_validation_that_training_lacks(write_images) -> None:
    root = write_images({"train/a": 3, "train/b": 3, "validation/zebra": 1})
    (root / "classes.txt").write_text("a\nb\n")
    with pytest.raises(UserError, match=r"'zebra' of validation/zebra/00\.png is outside the classes"):
        open_dataset(root)


def test_notices_about_shrinking_balance_and_few(write_images) -> None:
    root = write_images({"many": 20, "rare": 4}, height=80, width=40)
    data = open_dataset(root)
    assert (data.shape.height, data.shape.width) == (32, 16)
    text = " ".join(data.notices)
    assert "shrunk to 32x16" in text
    assert "unbalanced" in text
    assert "few training images" in text


def test_size_and_channels_as_asked(write_images) -> None:
    root = write_images({"a": 2, "b": 2}, channels=1)
    assert open_dataset(root).shape.channels == 1
    data = open_dataset(root, DataConfig(size=(5, 6), channels=3, levels=2))
    assert data.train.levels.shape[1:] == (3, 5, 6)
    assert int(data.train.levels.max()) == 1


def test_hidden_files_are_left_alone(write_images) -> None:
    root = write_images({"a": 2, "b": 2})
    (root / "a" / "._00.png").write_bytes(b"")
    os.mkdir(root / "__MACOSX")
    (root / "__MACOSX" / "00.png").write_bytes(b"")
    assert len(open_dataset(root, DataConfig(validation_share=0)).train) == 4


@pytest.mark.parametrize("above", ["", "train/"])
def test_pictures_beside_the_class_folders_are_left_out_with_a_notice(above: str, write_images) -> None:
    root = write_images({f"{above}a": 3, f"{above}b": 2, above or ".": 1})
    data = open_dataset(root, DataConfig(validation_share=0))
    assert data.train.counts() == [3, 2]
    assert len(data.train) == 5
    assert any("1 image lies in" in notice and "not taken (00.png)" in notice for notice in data.notices)


def test_a_flat_folder_keeps_its_pictures(write_images) -> None:
    data = open_dataset(write_images({"": 4}), DataConfig(validation_share=0))
    assert len(data.train) == 4
    assert not any("not taken" in notice for notice in data.notices)


def test_bad_files_of_every_split_are_named_at_once(write_images) -> None:
    root = write_images({"train/a": 2, "train/b": 2, "validation/a": 1, "validation/b": 1})
    for name in ("train/a/00.png", "validation/b/00.png"):
        (root / name).write_bytes(b"")
    with pytest.raises(UserError, match=r"2 image files .*train/a/00\.png \(empty\), validation/b/00\.png"):
        open_dataset(root)


def test_one_class_name_for_two_classes_is_refused(write_images) -> None:
    with pytest.raises(UserError, match=r"one class name \(pet\) for images of 2 classes: a, b"):
        open_dataset(write_images({"a": 2, "b": 2}), DataConfig(class_names=("pet",)))


def test_a_class_named_train_among_others_is_a_class(write_images) -> None:
    assert open_dataset(write_images({"bus": 4, "car": 4, "train": 4})).classes.names == (
        "bus",
        "car",
        "train",
    )


def test_folders_beside_splits_are_named_when_they_are_left_out(write_images) -> None:
    data = open_dataset(write_images({"train/a": 4, "train/b": 4, "more": 3}))
    assert data.classes.names == ("a", "b")
    assert any("more" in notice for notice in data.notices)


def test_a_link_to_a_folder_above_is_followed_once(write_images) -> None:
    root = write_images({"a": 4, "b": 4})
    (root / "a" / "self").symlink_to(root / "a", target_is_directory=True)
    assert len(open_dataset(root, DataConfig(validation_share=0)).train) == 8


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_class_that_cannot_be_read_is_an_error(write_images) -> None:
    root = write_images({"a": 4, "b": 4})
    (root / "b").chmod(0)
    with pytest.raises(UserError):
        open_dataset(root)


def test_the_pictures_of_a_run_inside_the_folder_are_no_class(write_images) -> None:
    root = write_images({"a": 4, "b": 4, "run": 2, "run/samples": 3})
    (root / "run" / "journal.csv").write_text("step\n")
    assert open_dataset(root).classes.names == ("a", "b")


def test_images_that_outnumber_those_in_folders_are_kept(write_images) -> None:
    data = open_dataset(write_images({"": 6, "old": 2}), DataConfig(validation_share=0))
    assert len(data.train) == 8
