"""Samples against real images: the figures grow with what is wrong, and the files hold what they are of."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

import pixelbayes as pb
from pixelbayes.classifier import Classifier, FitConfig, fit_classifier
from pixelbayes.cli import main
from pixelbayes.measure.sample_distance import frechet

QUICK = FitConfig(minutes=None, epochs=1.0, max_steps=8, batch=32)


@pytest.fixture(scope="module")
def digits() -> pb.ImageSet:
    return pb.open_dataset("digits").train[:600]


@pytest.fixture(scope="module")
def features(digits: pb.ImageSet) -> Classifier:
    return fit_classifier(digits, QUICK)


def noisy(levels: Tensor, spread: float) -> Tensor:
    noise = torch.randn(levels.shape, generator=torch.Generator().manual_seed(0)) * spread
    return (levels + noise).round().clamp(0, 16).to(levels.dtype)


def test_noise_and_blur_are_further_away(digits: pb.ImageSet, features: Classifier) -> None:
    real, other = digits[:300], digits[300:]

    def distance(levels: Tensor) -> float:
        found = pb.measure_generation(replace(other, levels=levels), real, features=features)
        assert found.overall.frechet is not None
        return found.overall.frechet.value

    clean, halves = distance(other.levels), pb.measure_generation(other, real, features=features).halves
    assert halves.frechet is not None
    assert 0 < clean < 2 * halves.frechet.value
    assert clean < distance(noisy(other.levels, 1)) < distance(noisy(other.levels, 3))
    blurred = [avg_pool2d(other.levels.float(), k, 1, k // 2).round().to(torch.uint8) for k in (3, 5)]
    assert clean < distance(blurred[0]) < distance(blurred[1])


def test_a_class_is_compared_with_itself(digits: pb.ImageSet, features: Classifier, tmp_path: Path) -> None:
    found = pb.measure_generation(digits[:200], digits[200:], features=features, train=digits[:100])
    assert found.overall.samples == 200
    assert sum(each.samples for each in found.by_class.values()) == 200
    assert found.name == "CNN feature distance"
    assert any("no FID" in line for line in found.notes())
    found.save_features(tmp_path / "saved.npz")
    saved = np.load(tmp_path / "saved.npz")
    three = [
        saved[f"{kind}"][saved[f"{label}_labels"] == 3]
        for kind, label in (("samples", "sample"), ("real", "real"))
    ]
    assert found.by_class["3"].frechet is not None
    assert frechet(*three) == pytest.approx(found.by_class["3"].frechet.value)
    # Half of the samples are training images.
    assert found.memorisation is not None
    assert found.memorisation.nearer >= 0.49
    assert any("copies" in line for line in found.notes())


def test_labels_that_do_not_match_are_seen_by_class_alone(digits: pb.ImageSet, features: Classifier) -> None:
    real, other = digits[:300], digits[300:]
    wrong = replace(other, labels=(other.labels + 1) % 10)
    right_one, wrong_one = (pb.measure_generation(s, real, features=features) for s in (other, wrong))
    assert right_one.overall == wrong_one.overall
    pairs = [(right_one.by_class[name].kid, wrong_one.by_class[name].kid) for name in real.classes]
    assert all(
        right is not None and wrong is not None and right.value < wrong.value for right, wrong in pairs
    )


def test_arrays_are_taken_and_what_does_not_fit_is_refused(digits: pb.ImageSet) -> None:
    levels = torch.randint(256, (12, 3, 9, 9), dtype=torch.uint8)
    found = pb.measure_generation(
        levels.numpy(), levels, labels=[0, 1] * 6, sample_labels=[0, 1] * 6, fit=QUICK
    )
    assert set(found.by_class) == {"0", "1"}
    assert found.overall.precision == 1.0
    for wrong in (
        {"images": levels[:1]},
        {"images": levels[..., :5]},
        {"images": None},
        {"images": levels, "labels": [0]},
        {"images": levels.float()},
        {"images": levels, "features": 3},
        {"images": levels, "inception": "no-such-file.pth"},
        {"images": digits},
    ):
        with pytest.raises(pb.UserError):
            pb.measure_generation(levels, fit=QUICK, **wrong)  # type: ignore[arg-type]


def test_the_command_line_writes_figures_features_and_neighbours(
    tiny_model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    words = [
        "evaluate",
        str(folder),
        "--no-page",
        "--generation",
        "--samples",
        "40",
        "--against-minutes",
        "0.02",
    ]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr()
    assert "CNN feature distance" in shown.out
    assert "fewer than the 128 features" in shown.err
    table = json.loads((tmp_path / "out" / "generation.json").read_text())
    assert table["overall"]["samples"] == 40
    saved = np.load(tmp_path / "out" / "generation-features.npz")
    assert frechet(saved["samples"], saved["real"]) == pytest.approx(table["overall"]["frechet"]["value"])
    assert (tmp_path / "out" / "nearest.png").stat().st_size > 0
    assert (folder / "features.safetensors").exists()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--samples", "5"], "--samples belongs to --generation"),
        (["--generation", "--samples", "1"], "2 or more"),
        (["--against-foreign", "digits"], "--against-foreign belongs to --against cnn"),
        (["--generation", "--inception", "none.pth"], "there is no file none.pth"),
        (["--against", "cnn", "--against-minutes", "0"], "--against-minutes must be above 0"),
    ],
)
def test_a_wrong_option_is_a_line(
    words: list[str], wanted: str, tiny_model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(tiny_model_folder), *words, "--out", str(tmp_path / "out")]) == 2
    assert wanted in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()
