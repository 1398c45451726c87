"""A whole evaluation on the command line: what is printed, what is written, and whose images they were."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import pixelbayes as pb
from pixelbayes.cli import main
from pixelbayes.measure.seen import accuracy_seen, likelihoods_along, points_along
from pixelbayes.provenance import provenance
from pixelbayes.recipe import load_recipe

Captured = pytest.CaptureFixture[str]


def splits() -> dict[str, pb.ImageSet]:
    return pb.open_dataset("digits", load_recipe("digits").data).splits


@pytest.fixture(scope="module")
def evaluated(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of an evaluation of the tiny model on its validation images."""
    out = tmp_path_factory.mktemp("evaluated") / "out"
    assert main(["evaluate", str(tiny_model_folder), "--seen", "--no-page", "--out", str(out)]) == 0
    return out


def test_every_figure_and_picture_is_written(evaluated: Path) -> None:
    found = json.loads((evaluated / "metrics.json").read_text())
    low, high = found["intervals"]["accuracy"]
    assert low <= found["accuracy"] <= high
    assert {row["name"] for row in found["baselines"]} == {
        "naive Bayes",
        "nearest neighbour",
        "SVM",
        "random forest",
    }
    assert len(found["per_class"]) == 10
    assert found["seen"]["accuracies"][-1] == found["uncalibrated"]["accuracy"]
    for name in ("confusion.png", "reliability.png", "mistakes.png", "seen.png"):
        assert Image.open(evaluated / name).width > 200
    with (evaluated / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    right = [row["true"] == row["predicted"] for row in rows]
    assert np.mean(right) == pytest.approx(found["accuracy"])


def test_the_images_that_chose_the_weights_are_called_so(
    tiny_model_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    words = ["evaluate", str(tiny_model_folder), "--no-baselines", "--no-page", "--out"]
    assert main([*words, str(tmp_path / "a")]) == 0
    told = capsys.readouterr()
    assert "chose the weights and fitted the calibration" in " ".join(told.err.split())
    assert all(
        len(line.rstrip()) <= 80 for line in told.out.splitlines() if not line.startswith(("144", "written"))
    )
    assert main([*words, str(tmp_path / "b"), "--split", "test"]) == 0
    assert "chose the weights" not in " ".join(capsys.readouterr().err.split())


def test_images_are_recognised_in_whatever_form_they_come(tiny_model_folder: Path) -> None:
    model, sets = pb.load(tiny_model_folder), splits()
    mixed = sets["test"][:6]
    mixed.levels = torch.cat([mixed.levels[:4], sets["train"].levels[:2]])
    assert provenance(model, sets["validation"]).chose_weights
    assert not provenance(model, sets["test"], sets["train"]).notes(300)
    assert provenance(model, mixed, sets["train"]).trained_on == 2


def test_few_images_are_called_few(tiny_model_folder: Path, tmp_path: Path, capsys: Captured) -> None:
    for row in range(4):
        Image.fromarray(np.full((8, 8), 16 * row, np.uint8)).save(tmp_path / f"{row}.png")
    (tmp_path / "some.csv").write_text("0.png,0\n1.png,1\n2.png,0\n3.png,1\n")
    words = [
        "evaluate",
        str(tiny_model_folder),
        "--data",
        str(tmp_path / "some.csv"),
        "--no-baselines",
        "--no-page",
    ]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    assert "--folds 5" in " ".join(capsys.readouterr().err.split())


def test_a_model_without_use_of_its_labels_does_not_classify(tmp_path: Path, capsys: Captured) -> None:
    model = pb.create("digits", filters=2, resnets=1, scales=1, **{"fusion.strategy": "none"})
    folder = str(pb.save(model, tmp_path / "model"))
    words = ["evaluate", folder, "--data", "digits", "--split", "validation", "--no-page"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr()
    assert "cannot classify" in " ".join(told.err.split())
    assert "accuracy" not in told.out
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["accuracy"] is None
    for refused in (["classify", folder, "digits"], [*words, "--seen", "--out", str(tmp_path / "other")]):
        assert main(refused) == 2
        assert "strategy 'none'" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "other").exists()


def test_what_has_been_seen_sums_to_the_whole_image(tiny_model_folder: Path) -> None:
    model, images = pb.load(tiny_model_folder), splits()["test"][:5]
    along = likelihoods_along(model, images.levels)
    whole = pb.classify(model, images.levels).log_likelihoods
    assert along[..., -1] == pytest.approx(whole, abs=1e-3)
    points = points_along(64).tolist()
    first = model.log_prob_map(images.levels[:1], [7]).detach().double().flatten()
    assert float(along[0, 7, 9]) == pytest.approx(float(first[: points[9]].sum()), abs=1e-3)
    found = accuracy_seen(model, along, images)
    assert found.shares[-1] == 1.0
    by_hand = (along[:, :, 9].argmax(1) == images.labels).double().mean()
    assert found.accuracies[9] == pytest.approx(float(by_hand))


def test_one_accuracy_in_the_log_the_list_and_the_evaluation(
    tiny_model_folder: Path, evaluated: Path, capsys: Captured
) -> None:
    found = json.loads((evaluated / "metrics.json").read_text())["accuracy"]
    training = json.loads((tiny_model_folder / "training.json").read_text())
    assert training["calibrated_accuracy"] == pytest.approx(found)
    assert main(["list", "runs", str(tiny_model_folder.parent)]) == 0
    shown = capsys.readouterr().out
    assert f"{found:.1%}" in shown
    assert "~" not in shown
