"""Names that a system refuses, or a terminal obeys, are refused or made safe before work begins."""

from pathlib import Path

import numpy as np
import pytest

import pixelbayes as pb
from pixelbayes.cli import main
from pixelbayes.errors import check_name, printable
from pixelbayes.files import whole
from pixelbayes.progress import say, warn


@pytest.mark.parametrize("name", ["a\0b", "x" * 256, "caf\ud800", "é" * 128])
def test_what_no_file_can_be_called_is_refused_before_the_work(
    name: str, tiny_model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(pb.UserError):
        check_name(tmp_path / name)
    out, model = str(tmp_path / name), str(tiny_model_folder)
    for words in (
        ["generate", model, "--out", out],
        ["evaluate", model, "--out", out],
        ["classify", model, "digits", "--csv", out],
        ["train", "digits", "--out", out],
    ):
        assert main(words) == 2
        assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(pb.UserError):
        pb.load(out)
    with pytest.raises(pb.UserError):
        pb.train(np.zeros((4, 2, 2), np.uint8), out=out)
    assert list(tmp_path.iterdir()) == []


def test_a_long_name_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 125 + ".csv")
    with whole(path) as temporary:
        temporary.write_text("1")
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_folders_of_classes_can_be_made_and_are_told_apart(tmp_path: Path) -> None:
    names = (
        "samples.png",
        "Samples.PNG",
        "x" * 300,
        "x" * 301,
        "\x1b[31mred",
        "a\nb",
        "NUL",
        "...",
        "né" * 200,
    )
    folders = pb.Labels(names).folders
    assert len({folder.casefold() for folder in folders}) == len(names)
    assert "samples.png" not in map(str.casefold, folders)
    for folder in folders:
        assert folder.isprintable()
        (tmp_path / folder).mkdir()
    model = pb.save(pb.create("digits", classes=names, filters=2), tmp_path / "model")
    assert main(["generate", str(model), "--per-class", "1", "--out", str(tmp_path / "drawn")]) == 0


@pytest.mark.parametrize("name", ["a\0", "caf\udce9"])
def test_a_class_name_that_is_no_text_is_refused(name: str) -> None:
    with pytest.raises(pb.UserError, match="is no text"):
        pb.Labels(("a", name))


def test_no_terminal_obeys_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a\x1b]0;owned\x07\x9b31m\udcff"
    say(name)
    warn(name)
    said = capsys.readouterr()
    for text in (said.out, said.err, printable(name)):
        assert not any(letter in text for letter in "\x1b\x07\x9b\udcff")
        assert "owned" in text
