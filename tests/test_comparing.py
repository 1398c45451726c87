"""Two files of predictions: joined by path, and told apart from chance."""

import json
from pathlib import Path

import pytest

import pixelbayes as pb
from pixelbayes.cli import main

HEADER = "path,true,predicted,name,probability"
CATS = ("cat", "dog", "eel")


def write(path: Path, rows: list[tuple[str, str, str]], names: tuple[str, ...] = CATS) -> Path:
    """Rows of path, true and predicted class by name, as a model that counts the classes as `names` writes them."""
    lines = [
        f"{image},{names.index(true) if true else ''},{names.index(answer)},{answer},0.9"
        for image, true, answer in rows
    ]
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


ROWS = [("1.png", "cat", "cat"), ("2.png", "dog", "cat"), ("3.png", "eel", "eel"), ("4.png", "dog", "dog")]
BETTER = [("4.png", "dog", "dog"), ("3.png", "eel", "eel"), ("2.png", "dog", "dog"), ("1.png", "cat", "cat")]


def test_images_are_joined_by_their_paths(tmp_path: Path) -> None:
    found = pb.compare(write(tmp_path / "a.csv", ROWS), write(tmp_path / "b.csv", BETTER))
    assert (found.images, found.both, found.only_a, found.only_b, found.neither) == (4, 3, 0, 1, 0)


def test_a_class_that_nobody_names_is_no_name_of_another(tmp_path: Path) -> None:
    numbers = ("1", "2", "3")  # 'true' holds 2, the index of the class 3
    rows = [("1.png", "3", "2"), ("2.png", "1", "1")]
    one = write(tmp_path / "a.csv", rows, numbers)
    other = write(tmp_path / "b.csv", [("1.png", "3", "1"), rows[1]], numbers)
    assert pb.compare(one, other).accuracies == (0.5, 0.5)
    text = one.read_text()
    one.write_text(text.replace(HEADER, HEADER.replace(",", ", ")))
    assert pb.compare(one, other).accuracies == (0.5, 0.5)


def test_models_may_count_their_classes_differently(tmp_path: Path) -> None:
    a = write(tmp_path / "a.csv", ROWS)
    b = write(tmp_path / "b.csv", BETTER, names=("eel", "dog", "cat"))
    assert pb.compare(a, b).only_b == 1
    truth = {path: true for path, true, _ in ROWS}
    assert pb.compare(a, b, truth).only_b == 1
    with pytest.raises(pb.UserError, match="count their classes differently"):
        pb.compare(a, b, {path: "0" for path, *_ in ROWS})


def test_labels_may_be_a_table_of_names_or_indices(tmp_path: Path) -> None:
    blind = [(path, "", answer) for path, _, answer in ROWS]
    a = write(tmp_path / "a.csv", blind)
    b = write(tmp_path / "b.csv", [(path, "", answer) for path, _, answer in BETTER])
    with pytest.raises(pb.UserError, match="no true classes"):
        pb.compare(a, b)
    for words in (CATS, ("0", "1", "2")):
        labels = tmp_path / "labels.csv"
        labels.write_text(
            "path,label\n" + "".join(f"{path},{words[CATS.index(true)]}\n" for path, true, _ in ROWS)
        )
        assert pb.compare(a, b, labels).accuracies == (0.75, 1.0)


def test_hand_in_forms_are_read_too(tmp_path: Path) -> None:
    a = write(tmp_path / "a.csv", ROWS)
    (tmp_path / "b.csv").write_text("id,label\n1.png,cat\n2.png,dog\n3.png,cat\n4.png,1\n")
    found = pb.compare(a, tmp_path / "b.csv")
    assert (found.both, found.only_a, found.only_b) == (2, 1, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{HEADER}\n1.png,0,0,cat,1\n", "different images"),
        (f"{HEADER}\n" + "1.png,0,0,cat,1\n" * 2, "line 3: 1.png occurs twice"),
        (f"{HEADER}\n1.png,0,,cat,1\n", "the answer is missing"),
        ("a,b\n1,2\n", "no column of images"),
        ("path,b\n1,2\n", "no column of answers"),
        (HEADER + "\n", "holds no predictions"),
        ("", "its header is: empty"),
        (
            f"{HEADER}\n" + "".join(f"{n}.png,1,1,dog,1\n" for n in (1, 2, 3, 4)),
            "disagree on the class of 1.png",
        ),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = write(tmp_path / "a.csv", ROWS)
    (tmp_path / "b.csv").write_text(text)
    assert main(["compare", str(a), str(tmp_path / "b.csv"), "--json", str(tmp_path / "out.json")]) == 2
    complaint = capsys.readouterr().err
    assert words in complaint
    assert complaint.count("\n") == 1
    assert not (tmp_path / "out.json").exists()


def test_labels_that_lack_an_image_and_files_that_are_none_are_refused(tmp_path: Path) -> None:
    a = write(tmp_path / "a.csv", ROWS)
    with pytest.raises(pb.UserError, match=r"lack 1 of the images, such as 4\.png"):
        pb.compare(a, a, {path: true for path, true, _ in ROWS[:3]})
    with pytest.raises(pb.UserError, match="cannot be read"):
        pb.compare(a, tmp_path / "nowhere.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00path")
    with pytest.raises(pb.UserError, match="cannot be read as CSV"):
        pb.compare(a, tmp_path / "binary.csv")


def test_the_command_answers_in_plain_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = write(tmp_path / "a.csv", ROWS), write(tmp_path / "b.csv", BETTER)
    assert main(["compare", str(a), str(b), "--json", str(tmp_path / "out.json")]) == 0
    said = capsys.readouterr().out
    assert "B names 1 more of 4 images right than A: within chance (p = 1)" in said
    assert all(len(line.rstrip()) <= 80 for line in said.splitlines() if "written" not in line)
    assert json.loads((tmp_path / "out.json").read_text())["difference"] == 0.25
