"""How a folder is understood: wrappers, splits, classes, what is no data; nothing vanishes without a word."""

import os
from pathlib import Path

import pytest
from PIL import Image

from pixelbayes.data import DataConfig, formats, open_dataset, open_images
from pixelbayes.errors import UserError
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape
from pixelbayes.records import DataRecord

from .conftest import noise


def each(*folders: str, count: int = 4) -> dict[str, int]:
    return dict.fromkeys(folders, count)


def test_splits_without_train_are_no_classes(write_images) -> None:
    root = write_images(each("val/cat", "val/dog", "test/cat", "test/dog"), "with blank")
    with pytest.raises(
        UserError,
        match=r"a folder 'train' is missing, or train on one of them: pixelbayes train '.*with blank/test'",
    ):
        open_dataset(root)
    images = open_images(root, ImageShape(3, 12, 12), DataRecord(), Labels(("cat", "dog")))
    assert sorted(images.labels.tolist()) == [0] * 8 + [1] * 8


@pytest.mark.parametrize(
    ("folders", "sizes"),
    [
        (("Train/a", "Train/b", "Eval/a", "Eval/b"), {"train": 8, "validation": 8}),
        (
            ("train/a", "train/b", "dev/a", "dev/b", "eval/a", "eval/b"),
            {"train": 8, "validation": 8, "test": 8},
        ),
        (("train_images/a", "train_images/b", "test_images/a"), {"train": 8, "test": 4}),
        (("a/train", "b/train", "a/test", "b/test"), {"train": 8, "test": 8}),
        (("Set/train/a", "Set/train/b", "Set/val/a"), {"train": 8, "validation": 4}),
    ],
)
def test_splits_by_other_names_and_at_other_places(write_images, folders, sizes) -> None:
    data = open_dataset(write_images(each(*folders)), DataConfig(validation_share=0))
    assert data.classes.names == ("a", "b")
    assert {name: len(images) for name, images in data.splits.items()} == sizes


def test_a_lone_wrapper_is_gone_through_and_said(write_images) -> None:
    root = write_images({**each("Pets/all/cat", "Pets/all/dog"), ".": 1})
    data = open_dataset(root)
    assert data.classes.names == ("cat", "dog")
    assert any("lie within Pets/all/" in notice for notice in data.notices)
    assert any("not taken (00.png)" in notice for notice in data.notices)


def test_folders_that_share_the_names_of_theirs_are_not_the_classes(write_images) -> None:
    root = write_images(each("2021/cat", "2021/dog", "2022/cat", "2022/dog", "2022/owl"))
    data = open_dataset(root)
    assert data.classes.names == ("cat", "dog", "owl")
    assert any("the last folder is the class" in notice for notice in data.notices)
    assert open_dataset(root, DataConfig(class_from="first")).classes.names == ("2021", "2022")
    assert "2021/cat" in open_dataset(root, DataConfig(class_from="path")).classes.names
    assert open_dataset(root, DataConfig(class_from=r"/([a-z])[a-z]+/")).classes.names == ("c", "d", "o")
    with pytest.raises(UserError, match="class_from is first, parent, path, or a pattern"):
        open_dataset(root, DataConfig(class_from="deepest"))


def test_sub_folders_of_their_own_leave_the_class_above(write_images) -> None:
    root = write_images(each("cat/tom", "cat/kit", "dog/rex", "dog/ben"))
    assert open_dataset(root).classes.names == ("cat", "dog")
    assert open_dataset(root, DataConfig(class_from="parent")).classes.names == ("ben", "kit", "rex", "tom")
    assert open_dataset(write_images(each("cat/images", "dog/images"), "one")).classes.names == ("cat", "dog")


def test_what_drives_and_archives_make_is_no_data_and_said_once(write_images) -> None:
    root = write_images(
        each("__x", "$", "#1", "__x/@eaDir/00.png", "$/@eaDir", "#recycle", "$RECYCLE.BIN", "__MACOSX/$")
    )
    data = open_dataset(root, DataConfig(validation_share=0))
    assert set(data.classes.names) == {"__x", "$", "#1"}
    assert len(data.train) == 12
    (notice,) = (notice for notice in data.notices if "are no data" in notice)
    assert all(name in notice for name in ("@eaDir (2)", "#recycle", "$RECYCLE.BIN", "__MACOSX"))


def test_files_that_are_not_read_and_classes_without_pictures_are_counted(write_images, monkeypatch) -> None:
    root = write_images(each("cat", "dog"))
    for name in ("cat/1.HEIC", "cat/2.heic", "bird/1.heic", "dog/x.xml", "dog/Thumbs.db"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"\0\0\0\x18nothing")
    (root / "fish").mkdir()
    monkeypatch.setattr(formats, "is_installed", lambda suffix: False)
    data = open_dataset(root)
    (notice,) = (notice for notice in data.notices if notice.startswith("not read"))
    assert "3 .heic (pip install pillow-heif reads them), 1 .xml" in notice
    assert "the folders bird, fish" in notice
    (root / "bird" / "3.heic").write_bytes(b"\0\0\0\x18nothing")
    assert any("4 .heic" in notice for notice in open_dataset(root).notices)


def test_a_folder_and_a_pattern_of_files_that_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "1.xcf").write_text("x")
    with pytest.raises(UserError, match=r"no images that are read .* but 1 \.xcf"):
        open_dataset(tmp_path)
    with pytest.raises(UserError, match=r"no image fits .* but 1 \.xcf"):
        open_dataset(f"{tmp_path}/*")


def test_the_same_image_under_two_classes_is_named(write_images) -> None:
    root = write_images(each("cat", "dog"))
    (root / "dog" / "again.png").write_bytes((root / "cat" / "01.png").read_bytes())
    notices = open_dataset(root).notices
    assert "1 image has two classes or more: cat/01.png (cat) and dog/again.png (dog)" in notices


def test_the_size_is_that_of_most_files_and_odd_ones_are_counted(write_images) -> None:
    root = write_images({"a": 20, "b": 20}, height=28, width=20)
    Image.fromarray(noise(1, 8, 8)).save(root / "a" / "odd.png")
    data = open_dataset(root)
    assert (data.shape.height, data.shape.width) == (28, 20)
    assert any("1 of 41 images have another size than 28x20 (from 8x8 to 28x20)" in n for n in data.notices)


def test_a_file_renamed_over_another_is_read_anew(write_images) -> None:
    root = write_images(each("a", "b"))
    config = DataConfig(validation_share=0)
    before = open_dataset(root, config)
    first, second = root / "a" / "00.png", root / "a" / "01.png"
    Image.fromarray(noise(500)).save(root / "new.png", compress_level=0)
    Image.fromarray(noise(501)).save(root / "old.png", compress_level=0)
    os.replace(root / "old.png", first)
    os.utime(first, ns=(10**18, 10**18))
    middle = open_dataset(root, config)
    os.utime(root / "new.png", ns=(10**18, 10**18))
    os.replace(root / "new.png", first)  # of the same size and time of writing
    after = open_dataset(root, config)
    assert second.is_file()
    assert (middle.train.levels[0] != before.train.levels[0]).any()
    assert (after.train.levels[0].permute(1, 2, 0).numpy() == noise(500)).all()


@pytest.mark.parametrize("word", ["", "  "])
def test_an_empty_word_is_refused(word: str) -> None:
    with pytest.raises(UserError, match="DATA is empty"):
        open_dataset(word)
