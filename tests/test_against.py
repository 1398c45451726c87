"""The model beside a CNN: every row says what it says, and the damage is what it is called."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import pixelbayes as pb
from pixelbayes.against import against_cnn, corrupted, shuffled
from pixelbayes.classifier import FitConfig, fit_classifier
from pixelbayes.cli import main
from pixelbayes.few_images import some_of_each

QUICK = FitConfig(minutes=None, epochs=1.0, max_steps=6, batch=32)


def test_shuffled_images_keep_their_colours() -> None:
    levels = torch.randint(9, (4, 3, 5, 6), dtype=torch.uint8)
    mixed = shuffled(levels)
    assert not torch.equal(mixed, levels)

    def colours(images: torch.Tensor) -> list[list[tuple[int, ...]]]:
        return [sorted(map(tuple, image.flatten(1).T.tolist())) for image in images]

    assert colours(mixed) == colours(levels)


@pytest.mark.parametrize("count", [2, 17, 256, 65_536])
def test_a_tenth_of_the_values_is_drawn_anew(count: int) -> None:
    levels = torch.zeros(40, 1, 20, 20, dtype=torch.uint8 if count <= 256 else torch.int32)
    noisy = corrupted(levels, count, 0.1)
    assert noisy.dtype == levels.dtype
    assert int(noisy.max()) < count
    assert (noisy != 0).double().mean() == pytest.approx(0.1 * (count - 1) / count, abs=0.01)


def test_the_command_line_writes_a_table_and_a_picture(
    tiny_model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    train = pb.open_dataset("digits", pb.load_recipe("digits").data).train
    from pixelbayes.classifier import save_classifier

    save_classifier(fit_classifier(train, QUICK), folder / "features.safetensors")
    words = [
        "evaluate",
        str(folder),
        "--no-page",
        "--no-baselines",
        "--against",
        "cnn",
        "--against-foreign",
        "digits",
        "--few-images",
        "5",
        "--few-minutes",
        "0.02",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(words) == 0
    assert "is taken" in capsys.readouterr().out
    table = json.loads((tmp_path / "out" / "against.json").read_text())
    rows = {row["name"]: row for row in table["rows"]}
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert rows["accuracy"]["model"] == pytest.approx(metrics["accuracy"])
    assert rows["macro F1"]["model"] == pytest.approx(metrics["macro_f1"])
    low, high = rows["accuracy"]["cnn_interval"]
    assert 0 <= low < rows["accuracy"]["cnn"] < high <= 1
    # Of the same images as foreign ones nobody can tell anything.
    assert rows["foreign images told apart (AUROC), other images"]["model"] == pytest.approx(0.5, abs=0.1)
    assert set(rows) >= {
        "accuracy, the lower half missing",
        "accuracy, 10% of the values at random",
        "accuracy, trained on 5 images a class, 0.02 minutes each",
        "calibration error (ECE), calibrated",
        "foreign images told apart (AUROC), pixels shuffled",
        "minutes to train",
        "milliseconds to classify an image",
        "parameters",
    }
    few = rows["accuracy, trained on 5 images a class, 0.02 minutes each"]
    assert few["cnn"] > 0.15
    assert 0 <= few["model"] <= 1
    assert (tmp_path / "out" / "against.png").stat().st_size > 0
    assert any("fitted on the images that are judged" in note for note in table["notes"])


def test_what_cannot_be_compared_is_refused() -> None:
    digits = pb.open_dataset("digits")
    with pytest.raises(pb.UserError, match="training images, fewer than 1000"):
        some_of_each(digits.train, 1000)
    plain = pb.create("digits", classes=(), filters=2)
    with pytest.raises(pb.UserError, match="two classes or more"):
        against_cnn(plain, digits.train[:20], train=digits.train)
    model = pb.create("digits", filters=2)
    unknown = replace(digits.train[:20], labels=torch.full((20,), -1))
    with pytest.raises(pb.UserError, match="no class"):
        against_cnn(model, unknown, train=digits.train)
    two = fit_classifier(digits.train[digits.train.labels < 2], replace(QUICK, max_steps=1))
    with pytest.raises(pb.UserError, match="other classes"):
        against_cnn(model, digits.train[:20], train=digits.train, features=replace(two, classes=("0", "1")))
