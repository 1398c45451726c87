"""Which columns of a table are taken, where its images lie, and what is said of it."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pixelbayes.data import DataConfig, Dataset, open_dataset, open_images
from pixelbayes.errors import UserError
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape
from pixelbayes.records import DataRecord

NAMES = [f"{row:02d}.png" for row in range(12)]
KINDS = ["oak", "elm"]
Table = Callable[[str, Sequence[str]], Path]


@pytest.fixture
def table(write_images) -> Table:
    """table("x.csv", lines) -> the table beside twelve images 00.png to 11.png."""
    root = write_images({"": 12})

    def write(name: str, lines: Sequence[str]) -> Path:
        (root / name).write_text("\n".join(lines) + "\n")
        return root / name

    return write


def rows(form: str) -> list[str]:
    """The rows of the twelve images: `form` with their name, stem, kind and number."""
    return [form.format(n=n, s=n[:-4], k=KINDS[i % 2], i=i) for i, n in enumerate(NAMES)]


def whole(path: Path, **config: object) -> Dataset:
    return open_dataset(path, DataConfig(validation_share=0, **config))


def test_more_than_one_candidate_stops_and_lists_them(table) -> None:
    path = table("a.csv", ["age,kind,file", *[f"{i % 3},{KINDS[i % 2]},{n}" for i, n in enumerate(NAMES)]])
    with pytest.raises(UserError, match=r"which column is the label\? 'age', 'kind' \(say --label-column"):
        whole(path)
    data = whole(path, label_column="kind")
    assert data.classes.names == ("elm", "oak")
    assert "a.csv: images from column 'file', classes from column 'kind'" in data.notices
    with pytest.raises(UserError, match="did you mean 'kind'"):
        whole(path, label_column="knd")
    assert not len(whole(path, label_column="none").classes)


@pytest.mark.parametrize("name", ["ClassId", "species", "Category", "target", "class_name", "y"])
def test_a_column_that_is_plainly_the_label_is_taken_and_said(table, name: str) -> None:
    path = table("a.csv", [f"Width,{name},Path", *[f"{20 + i % 5},{i % 2},{n}" for i, n in enumerate(NAMES)]])
    data = whole(path)
    assert data.train.labels.tolist() == [0, 1] * 6
    assert f"a.csv: images from column 'Path', classes from column '{name}'" in data.notices


def test_text_as_table_programs_write_it(table) -> None:
    path = table("a.csv", [])
    lines = "Datei\tArt\n" + "\n".join(rows("{n}\tKäfer{k}"))
    for encoding in ("utf-16", "utf-8-sig"):
        path.write_bytes(lines.encode(encoding))
        assert whole(path).classes.names == ("Käferelm", "Käferoak")
    path.write_bytes(lines.encode("latin-1"))
    with pytest.raises(UserError, match=r"a\.csv cannot be read as text: save it as UTF-8"):
        whole(path)


@pytest.mark.parametrize(
    ("name", "advice"), [("a.xlsx", "as .csv"), ("a.csv.gz", "unpack it"), ("a.mat", "pb.train")]
)
def test_files_that_are_no_data_say_what_to_do(tmp_path: Path, name: str, advice: str) -> None:
    (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(UserError, match=rf"are not read: .*{advice}"):
        open_dataset(tmp_path / name)


def test_the_index_that_pandas_writes_is_no_label(table) -> None:
    data = whole(table("a.csv", [",filename,kind", *rows("{i},{n},{k}")]))
    assert data.classes.names == ("elm", "oak")


def test_two_names_for_the_label_must_agree(table) -> None:
    agreeing = table(
        "a.csv", ["file,label,class", *[f"{n},{i % 2},{KINDS[i % 2]}" for i, n in enumerate(NAMES)]]
    )
    assert whole(agreeing).classes.names == ("elm", "oak")
    other = table(
        "b.csv", ["file,label,class", *[f"{n},{i % 3},{KINDS[i % 2]}" for i, n in enumerate(NAMES)]]
    )
    with pytest.raises(UserError, match="'label', 'class'"):
        whole(other)


def test_columns_of_zero_and_one_are_classes(table) -> None:
    lines = [
        f"{n},{i % 5},{int(i % 3 == 0)}.0,{int(i % 3 == 1)}.0,{int(i % 3 == 2)}.0"
        for i, n in enumerate(NAMES)
    ]
    data = whole(table("a.csv", ["image,age,MEL,NV,BCC", *lines]))
    assert [data.classes[label] for label in data.train.labels[:3]] == ["MEL", "NV", "BCC"]
    assert any("the columns of 0 and 1 'MEL', 'NV', 'BCC'" in notice for notice in data.notices)
    several = [f"{n},{int(i % 3 == 0)},{int(i % 2 == 1)}" for i, n in enumerate(NAMES)]
    with pytest.raises(UserError, match="which column is the label"):
        whole(table("b.csv", ["image,rust,scab", *several]))


@pytest.mark.parametrize(
    ("name", "mark"), [("a.csv", ";"), ("a.csv", "\t"), ("a.csv", "|"), ("a.tsv", "\t"), ("a.tsv", ",")]
)
def test_delimiters_comments_and_blank_lines(table, name: str, mark: str) -> None:
    lines = ["# made in 2021, by hand; twice", "", f"file{mark}label", *rows("{n}" + mark + "{k}"), "", ""]
    assert whole(table(name, lines)).train.labels.tolist() == [1, 0] * 6


def test_semicolons_beside_commas_in_the_text(table) -> None:
    data = whole(table("a.csv", ["file;label;note", *rows("{n};{k};one, two, three")]))
    assert data.classes.names == ("elm", "oak")


def test_back_slashes_endings_and_folders_are_tried(tmp_path: Path, write_images) -> None:
    root = write_images({"train_images/a": 3, "test_images/a": 3})
    (root / "train.csv").write_text("id_code,diagnosis\na\\00,x\na\\01,y\na\\02,x\n")
    (root / "test.csv").write_text("id_code\na/00.png\n")
    data = whole(root)
    assert data.train.labels.tolist() == [0, 1, 0]
    assert data.test.labels.tolist() == [-1]
    assert any("(found in train_images/)" in notice for notice in data.notices)
    (root / "all.csv").write_text("id_code,diagnosis\na\\00,x\na\\01,y\n")
    with pytest.raises(UserError, match=r"a\\00 lies in .*: say which with --data.path-prefix"):
        whole(root / "all.csv")
    assert len(whole(root / "all.csv", path_prefix="test_images").train) == 2


def test_a_stray_table_does_not_hide_the_classes(write_images) -> None:
    root = write_images({"cat": 3, "dog": 3})
    (root / "train.csv").write_text("epoch,loss\n1,2.5\n2,1.5\n")
    data = whole(root)
    assert data.classes.names == ("cat", "dog")
    assert any("not from train.csv" in notice for notice in data.notices)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_metadata_of_hugging_face(write_images, suffix: str) -> None:
    root = write_images({"train": 4, "validation": 2})
    for split, count in (("train", 4), ("validation", 2)):
        found = [
            {"file_name": f"{row:02d}.png", "label": KINDS[row % 2], "box": [1, 2]} for row in range(count)
        ]
        text = "\n".join(map(json.dumps, found))
        if suffix == "csv":
            text = "\n".join(["file_name,label", *(f"{each['file_name']},{each['label']}" for each in found)])
        (root / split / f"metadata.{suffix}").write_text(text)
    data = open_dataset(root)
    assert (len(data.train), len(data.validation)) == (4, 2)
    assert data.train.labels.tolist() == [1, 0, 1, 0]
    assert data.train.paths[0] == "train/00.png"


def test_captions_do_not_hide_class_folders(write_images) -> None:
    root = write_images({"cat": 6, "dog": 6})
    names = [f"{kind}/{row:02d}.png" for kind in ("cat", "dog") for row in range(6)]
    (root / "metadata.csv").write_text(
        "file_name,text\n" + "\n".join(f"{n},a photo {i}" for i, n in enumerate(names))
    )
    assert whole(root).classes.names == ("cat", "dog")


def for_model(path: Path, *classes: str, **columns: str) -> tuple[list[int], str]:
    images = open_images(path, ImageShape(3, 12, 12), DataRecord(), Labels(classes), **columns)
    return images.labels.tolist(), " ".join(images.notices)


def test_a_table_without_labels_is_not_scored_against_widths(table) -> None:
    path = table("a.csv", ["Width,Height,file", *[f"{i % 3},{i % 2},{n}" for i, n in enumerate(NAMES)]])
    labels, said = for_model(path, "elm", "oak", "fir")
    assert labels == [-1] * 12
    assert "no column of labels" in said


def test_the_column_that_names_a_models_classes_is_taken(table) -> None:
    path = table("a.csv", ["age,kind,file", *[f"{i % 3},{KINDS[i % 2]},{n}" for i, n in enumerate(NAMES)]])
    labels, said = for_model(path, "elm", "oak")
    assert labels == [1, 0] * 6
    assert "classes from column 'kind'" in said
    assert for_model(path, "0", "1", "2", label_column="age")[0] == [0, 1, 2] * 4


def test_two_rows_that_disagree_are_named(table) -> None:
    data = whole(table("a.csv", ["file,label", *rows("{n},{k}"), "00.png,elm"]))
    assert "1 image has two classes or more: 00.png (oak) and 00.png (elm)" in data.notices


def test_a_column_with_another_value_in_each_row_is_no_label(table) -> None:
    with pytest.raises(UserError, match=r"is this column the label\? 'width'"):
        whole(table("a.csv", ["file,width", *rows("{n},{i}")]))
