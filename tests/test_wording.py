"""Messages in the words of whoever calls: arguments in Python, options on the command line; and what is meant."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest

import pixelbayes as pb
from pixelbayes.cli import main
from pixelbayes.errors import UserError
from pixelbayes.wording import in_python, speaks_python

IMAGES = np.zeros((8, 8, 8), np.uint8)

MEANT = {
    "lr": "learning_rate", "batch_size": "batch", "epoch": "epochs", "n_epochs": "epochs", "image_size": "size",
    "minute": "minutes", "dataset": "data", "optimizer": "optimiser", "output": "out", "random_state": "seed",
}  # fmt: skip


@pytest.mark.parametrize(("given", "meant"), MEANT.items())
def test_python_knows_the_usual_names(given: str, meant: str) -> None:
    with pytest.raises(
        pb.UserError, match=rf"pb\.train has no argument '{given}': did you mean '{meant}'\?"
    ) as caught:
        pb.train(IMAGES, [0, 1] * 4, **{given: 3})
    assert len(str(caught.value)) < 160
    assert isinstance(caught.value, TypeError)


def test_an_argument_that_there_is_not_is_named_by_every_verb() -> None:
    model = pb.create("digits", filters=4)
    with pytest.raises(pb.UserError, match=r"pb\.generate has no argument 'n': did you mean 'count'\?"):
        pb.generate(model, n=3)
    with pytest.raises(
        pb.UserError, match=r"pb\.classify has no argument 'batch_size': did you mean 'batch'\?"
    ):
        pb.classify(model, IMAGES, batch_size=3)
    with pytest.raises(pb.UserError, match="did you mean 'learning_rate'"):
        pb.create("digits", lr=3)


@pytest.mark.parametrize(
    "call",
    [
        lambda model, place: pb.train(IMAGES, resume=True),
        lambda model, place: pb.train(IMAGES, out=place.parent),
        lambda model, place: pb.train(IMAGES, device="cuda:99"),
        lambda model, place: pb.evaluate(model),
        lambda model, place: pb.detect(place, IMAGES),
        lambda model, place: pb.train(str(place), out=place.parent),
    ],
)
def test_python_errors_have_no_options_of_the_command_line(call, tmp_path: Path) -> None:
    model = pb.create("digits", filters=4)
    place = pb.save(model, tmp_path / "model")
    with pytest.raises(pb.UserError) as caught:
        call(model, place)
    assert not re.search(r"(^|\s)--\w", str(caught.value)), str(caught.value)


def test_messages_are_turned_round() -> None:
    said = "choose another --out, or begin anew with --overwrite; --data.white 4095 makes 4,096 levels"
    assert in_python(said) == (
        "choose another out=..., or begin anew with overwrite=True; white=4095 makes 4,096 levels"
    )
    said = "continue with pixelbayes train DATA --out runs/mine --resume"
    assert in_python(said) == "continue with pb.train(DATA, out='runs/mine', resume=True)"
    assert in_python("use --device auto") == "use device='auto'"


def test_notes_speak_python_within_a_verb_alone(capsys: pytest.CaptureFixture[str]) -> None:
    from pixelbayes.progress import warn

    speaks_python(warn)("set --data.size")
    warn("set --data.size")
    assert capsys.readouterr().err.splitlines() == ["note: set size=...", "note: set --data.size"]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["train", "digits", "--lr", "0.1"], "--training.learning-rate"),
        (["train", "digits", "--batch-size=3"], "--training.batch"),
        (["train", "digits", "--epochs", "3"], "--training.epochs"),
        (["train", "digits", "--size", "8"], "--data.size"),
        (["train", "digits", "--minute", "8"], "--minutes"),
        (["generate", "nowhere", "--n", "8"], "--per-class"),
        (["classify", "nowhere", "digits", "--batch_size", "8"], "--batch"),
    ],
)
def test_the_command_line_knows_the_usual_names(
    words: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert f"did you mean '{meant}'?" in capsys.readouterr().err


def test_data_is_given_without_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--data", "digits"]) == 2
    assert "pixelbayes train DATA" in capsys.readouterr().err


def test_runs_fit_80_columns_with_whole_names(
    tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["list", "runs", str(tiny_model_folder.parent)]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    for word in ("tiny", "pixelcnn_pp", "strong", "network", "strategy", "seed"):
        assert word in shown.split()
    assert main(["list", "runs", str(tiny_model_folder.parent), "--csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["network"], row["strategy"], row["steps"]) == ("pixelcnn_pp", "strong", "4")
    assert {"folds", "fold", "seed"} <= row.keys()


def test_a_model_prints_as_a_few_lines() -> None:
    shown = repr(pb.create("digits", filters=4))
    assert len(shown.splitlines()) < 10
    for word in ("pixelcnn_pp", "7,210 parameters", "strong", "logistic_mixture", "1x8x8", "10 (0, 1,"):
        assert word in shown
    assert "cannot classify" in repr(pb.create("digits", filters=4, fusion="none"))
    assert "cannot classify" in repr(pb.create("digits", filters=4, classes=()))


def test_folds_are_cross_validations() -> None:
    with pytest.raises(UserError, match=r"pb\.cross_validate\(data, labels, folds=\.\.\.\)"):
        pb.train(IMAGES, [0, 1] * 4, folds=3)


def test_a_label_that_enters_nowhere_is_told_of_and_cannot_classify(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {
        "filters": 2,
        "max_steps": 1,
        "device": "cpu",
        "training.precision": "32-true",
        "sample_every": 0,
    }
    images = np.random.default_rng(0).integers(0, 17, (20, 8, 8)).astype(np.uint8)
    model = pb.train(images, [0, 1] * 10, recipe="digits", fusion="none", out=tmp_path / "run", **asked)
    assert "cannot classify" in capsys.readouterr().err
    with pytest.raises(UserError, match="cannot classify"):
        pb.classify(model, images)


def test_large_arrays_are_shrunk_as_folders_are() -> None:
    from pixelbayes.data import from_arrays

    found = from_arrays(np.zeros((4, 64, 64), np.uint8))
    assert (found.shape.height, found.shape.width) == (32, 32)
    assert any("64x64 are shrunk to 32x32" in notice for notice in found.notices)
