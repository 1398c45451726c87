"""Calibration anew: what it stores, what it says, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

import pixelbayes as pb
from pixelbayes.calibrating import fitted
from pixelbayes.cli import main
from pixelbayes.measure import fit_calibration, scores
from pixelbayes.measure.calibration import MOST_OFFSET, TEMPERATURES
from pixelbayes.posterior import Calibration
from pixelbayes.provenance import provenance


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An untrained model of the digits."""
    torch.manual_seed(0)
    return pb.save(pb.create("digits", filters=2, resnets=1, scales=1), tmp_path / "model")


@pytest.fixture(scope="module")
def some() -> pb.ImageSet:
    return pb.open_dataset("digits").splits["test"][:30]


def evidence(images: int, classes: int, sharpness: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Log joints that are far too sure, and the labels."""
    noise = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, [images], generator=noise)
    logits = torch.randn(images, classes, generator=noise, dtype=torch.float64)
    logits[torch.arange(images), labels] += 2
    return logits * sharpness, labels


def test_a_folders_calibration_is_replaced_and_its_weights_are_not(folder: Path, some: pb.ImageSet) -> None:
    weights = (folder / "model.safetensors").read_bytes()
    found = pb.calibrate(folder, some, progress=False)
    stored = pb.load(folder)
    assert provenance(stored, some).fitted_calibration
    assert not provenance(stored, some[:20]).fitted_calibration
    assert stored.calibration == found.calibration != Calibration()
    assert (folder / "model.safetensors").read_bytes() == weights
    assert stored.record.calibration.count == 30
    answers = pb.classify(stored, some.levels)
    assert found.after == scores(answers.posterior, some.labels)
    assert found.after.log_loss == pytest.approx(log_loss(some.labels, answers.posterior, labels=range(10)))


def test_figures_of_images_left_out_do_not_flatter() -> None:
    nats, labels = evidence(60, 4, 30.0, seed=0)
    model = pb.create("digits", classes=("a", "b", "c", "d"), filters=2)
    found = fitted(model, nats, labels)
    assert found.after.log_loss < found.left_out.log_loss < found.alone.log_loss
    held_out, truth = evidence(4000, 4, 30.0, seed=1)
    after = scores(found.calibration.posterior(held_out), truth)
    assert after.calibration_error < 0.06
    assert after.calibration_error < scores(held_out.softmax(1), truth).calibration_error / 3


@pytest.mark.parametrize(("scale", "classes"), [(0.0, 3), (1e9, 2)])
def test_whatever_the_evidence_the_values_are_numbers_within_bounds(scale: float, classes: int) -> None:
    nats, labels = evidence(9, classes, 1.0, seed=0)
    for joint in (nats * scale, -nats * scale):
        found = fit_calibration(joint, labels)
        assert TEMPERATURES[0] <= found.temperature <= TEMPERATURES[1]
        assert all(abs(offset) <= MOST_OFFSET for offset in found.offsets)
        assert bool(found.posterior(joint).isfinite().all())


def test_what_cannot_be_calibrated_is_refused_and_nothing_is_written(
    folder: Path, some: pb.ImageSet, tmp_path: Path
) -> None:
    before = (folder / "config.json").read_bytes()
    unknown, one = some[:10], some[some.labels == 3]
    unknown.labels[:] = -1
    for images, words in ((unknown, "none is a class"), (one, "only 3 is a class")):
        with pytest.raises(pb.UserError, match=words):
            pb.calibrate(folder, images, progress=False)
    with pytest.raises(pb.UserError, match="root goes with the name"):
        pb.calibrate(folder, some, root=str(tmp_path))
    with pytest.raises(pb.UserError, match="model's own folder"):
        pb.calibrate(tmp_path / "nowhere", some)
    with pytest.raises(pb.UserError, match="without classes"):
        pb.calibrate(pb.create("digits", classes=(), filters=2), some)
    with pytest.raises(pb.UserError, match="strategy 'none'"):
        pb.calibrate(pb.create("digits", filters=2, **{"fusion.strategy": "none"}), some)
    assert (folder / "config.json").read_bytes() == before


def test_the_command_says_what_it_did_in_eighty_columns(
    folder: Path, some: pb.ImageSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "images.npy", some.levels[:40, 0].numpy())
    assert main(["calibrate", str(folder), "--data", str(tmp_path / "images.npy")]) == 2
    assert "labelled images" in capsys.readouterr().err
    assert main(["calibrate", str(folder), "--data", "digits", "--split", "validation"]) == 0
    said = capsys.readouterr().out
    assert {"ECE", "NLL", "Brier"} <= {word.strip("(),") for word in said.split()}
    assert all(len(line.rstrip()) <= 80 for line in said.splitlines() if str(folder) not in line)
    stored = json.loads((folder / "config.json").read_text())
    assert stored["calibration"]["temperature"] != 1.0
    assert stored["description"]["calibration"]["split"] == "validation"
