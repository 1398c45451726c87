"""CSV splits: headers, names, groups, and rows that are wrong."""

import os
from pathlib import Path

import pytest
from PIL import Image

from pixelbayes.data import DataConfig, open_dataset, open_images
from pixelbayes.errors import UserError
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape
from pixelbayes.records import DataRecord

SHAPE = ImageShape(3, 12, 12, 256)


@pytest.fixture
def root(write_images) -> Path:
    """12 images with labels 0, 1, 2 in train.csv, 3 in validation.csv and 2 without label in test.csv."""
    folder = write_images({"pictures": 17})
    rows = [f"pictures/{row:02d}.png,{row % 3}" for row in range(17)]
    (folder / "train.csv").write_text("\n".join(rows[:12]))
    (folder / "validation.csv").write_text("\n".join(rows[12:15]) + "\n")
    (folder / "test.csv").write_text("pictures/15.png,-1\npictures/16.png,\n")
    return folder


def test_a_number_that_is_no_class_is_not_taken_for_an_index(tmp_path: Path) -> None:
    for split, labels in (("train", "013"), ("validation", "0213")):
        rows = [f"{split}{row}.png,{label}" for row, label in enumerate(labels)]
        for row in rows:
            Image.new("L", (4, 4), 9).save(tmp_path / row.partition(",")[0])
        (tmp_path / f"{split}.csv").write_text("# a comment\n" + "\n".join(rows) + "\n")
    with pytest.raises(UserError, match=r"label '2' of validation1\.png is outside the classes"):
        open_dataset(tmp_path)


def test_splits_labels_and_unknown(root: Path) -> None:
    data = open_dataset(root)
    assert data.classes.names == ("0", "1", "2")
    assert data.train.labels.tolist() == [0, 1, 2] * 4
    assert data.train.paths[1] == "pictures/01.png"
    assert data.test.labels.tolist() == [-1, -1]


def test_names_from_the_user_and_from_classes_txt(root: Path) -> None:
    names = ("x", "y", "z")
    assert open_dataset(root, DataConfig(class_names=names)).validation.labels.tolist() == [0, 1, 2]
    (root / "classes.txt").write_text("u\nv\nw\n")
    assert open_dataset(root).classes.names == ("u", "v", "w")


def test_a_header_in_any_order_with_class_names(root: Path) -> None:
    (root / "train.csv").write_text("label,path\ncat,pictures/00.png\ndog,pictures/01.png\n")
    (root / "validation.csv").unlink()
    (root / "test.csv").unlink()
    data = open_dataset(root, DataConfig(validation_share=0))
    assert data.classes.names == ("cat", "dog")
    assert data.train.labels.tolist() == [0, 1]


def test_one_csv_for_a_model_in_input_order(root: Path) -> None:
    data = open_dataset(root)
    (root / "some.csv").write_text("pictures/07.png,2\npictures/03.png,\n")
    images = open_images(root / "some.csv", data.shape, data.preparation, data.classes)
    assert images.paths == ["pictures/07.png", "pictures/03.png"]
    assert images.labels.tolist() == [2, -1]
    assert (images.levels[0] == data.train.levels[7]).all()


def test_missing_files_are_named(root: Path) -> None:
    (root / "train.csv").write_text("pictures/none.png,0\npictures/00.png,1\n")
    with pytest.raises(UserError, match=r"train\.csv names a missing file: pictures/none\.png"):
        open_dataset(root)


@pytest.mark.parametrize("label", ["3", "burger", "1.5", "-2"])
def test_labels_outside_the_classes(root: Path, label: str) -> None:
    data = open_dataset(root)
    with (root / "validation.csv").open("a") as file:
        file.write(f"pictures/00.png,{label}\n")
    with pytest.raises(UserError, match=rf"'{label}' of pictures/00\.png is outside the classes"):
        open_dataset(root)
    with pytest.raises(UserError, match="outside the classes"):
        open_images(root / "validation.csv", data.shape, data.preparation, data.classes)


def test_an_empty_or_binary_csv(root: Path) -> None:
    (root / "train.csv").write_text("")
    with pytest.raises(UserError, match="no training images"):
        open_dataset(root)
    (root / "train.csv").write_bytes(b"\xff\xfe\x00\x00")
    with pytest.raises(UserError, match=r"train\.csv (cannot be read|is no text)"):
        open_dataset(root)


@pytest.mark.parametrize("column", ["object", "2"])
def test_groups_from_a_column_are_not_split(root: Path, column: str) -> None:
    rows = [f"pictures/{row:02d}.png,{row % 2},object{row // 4}" for row in range(16)]
    (root / "train.csv").write_text("path,label,object\n" + "\n".join(rows))
    (root / "validation.csv").unlink()
    (root / "test.csv").unlink()
    data = open_dataset(root, DataConfig(group_by=column, validation_share=0.25))
    of = {row.split(",")[0]: row.split(",")[2] for row in rows}
    train = {of[path] for path in data.train.paths}
    validation = {of[path] for path in data.validation.paths}
    assert validation
    assert not train & validation


@pytest.mark.parametrize("column", ["object", "2"])
def test_a_test_table_needs_no_column_of_groups(root: Path, column: str) -> None:
    rows = [f"pictures/{row:02d}.png,{row % 2},object{row // 4}" for row in range(12)]
    (root / "train.csv").write_text("path,label,object\n" + "\n".join(rows))
    (root / "validation.csv").unlink()
    (root / "test.csv").write_text("path,label\npictures/12.png,0\npictures/13.png,1\n")
    data = open_dataset(root, DataConfig(group_by=column, validation_share=0.25))
    assert len(data.splits["test"]) == 2
    with pytest.raises(UserError, match="column"):
        open_dataset(root, DataConfig(group_by="burst" if column == "object" else "7"))


def test_labels_that_a_table_program_wrote_as_fractions(root: Path) -> None:
    rows = [f"pictures/{row:02d}.png,{row % 3 - 1}.0" for row in range(12)]
    (root / "train.csv").write_text("\n".join(["path,label", *rows]))
    (root / "validation.csv").unlink()
    data = open_dataset(root, DataConfig(validation_share=0))
    assert data.classes.names == ("0", "1")
    assert data.train.labels.tolist() == [-1, 0, 1] * 4


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pictures/00.png,-2\npictures/01.png,1\n", "label '-2' of pictures/00.png"),
        ("pictures/00.png,0\0\npictures/01.png,1\n", "null bytes"),
        (f'pictures/00.png,"{"x" * 200_000}\n', "cannot be read as CSV"),
    ],
    ids=["a negative label", "null bytes", "an endless field"],
)
def test_tables_that_are_refused(root: Path, text: str, told: str) -> None:
    (root / "train.csv").write_text(text)
    with pytest.raises(UserError, match=told):
        open_dataset(root)


def test_splits_without_train_csv_are_seen(root: Path) -> None:
    (root / "train.csv").unlink()
    images = open_images(root, SHAPE, DataRecord(), Labels(("0", "1", "2")))
    assert images.labels.tolist() == [12 % 3, 13 % 3, 14 % 3, -1, -1]
    with pytest.raises(UserError, match="no training images"):
        open_dataset(root)


def test_names_with_line_breaks_of_unicode_are_one_row(tmp_path: Path) -> None:
    names = [f"x{mark}{row}.png" for mark in ("\u2028", "\x85", "line\nbreak") for row in range(3)]
    for name in names:
        Image.new("L", (3, 3)).save(tmp_path / name)
    (tmp_path / "train.csv").write_text("".join(f'"{name}",{row % 2}\n' for row, name in enumerate(names)))
    data = open_dataset(tmp_path, DataConfig(validation_share=0.0))
    assert data.train.paths == names


def test_a_name_that_is_no_text_is_told_before_the_work(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xffclass")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes names of UTF-8 only")
    Image.new("L", (3, 3)).save(folder / "0.png")
    with pytest.raises(UserError, match="is not UTF-8: rename"):
        open_dataset(tmp_path)
