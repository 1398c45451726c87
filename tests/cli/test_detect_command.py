"""`pixelbayes detect` and `classify --reject` on the command line."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import pixelbayes as pb
from pixelbayes.cli import main
from pixelbayes.tasks.detect import FILE

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def fitted(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model of the digits with a detector."""
    folder = tmp_path_factory.mktemp("fitted") / "model"
    shutil.copytree(tiny_model_folder, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pixelbayes.tasks.detect.detector.STEPS", 2)
        assert main(["detect", str(folder), "--fit", "--fit-images", "60", "--score", "typicality"]) == 0
    return folder


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    folder = tmp_path / "noise"
    folder.mkdir()
    values = np.random.default_rng(0).integers(0, 2, (12, 8, 8), np.uint8) * 255
    for number, image in enumerate(values):
        Image.fromarray(image).save(folder / f"{number:02d}.png")
    return folder


def read(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_table_and_a_picture_of_every_score(
    fitted: Path, noise: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "found"
    assert main(["detect", str(fitted), str(noise), "--out", str(out), "--score", "likelihood"]) == 0
    rows = read(out / "scores.csv")
    assert list(rows[0]) == [
        "path", "likelihood", "typicality", "complexity", "local", "stirring", "dose", "together",
        "percentile", "foreign",
    ]  # fmt: skip
    assert [Path(row["path"]).name for row in rows] == sorted(path.name for path in noise.iterdir())
    found = pb.detect(fitted, str(noise))
    assert [float(row["dose"]) for row in rows] == pytest.approx(found["dose"].tolist(), rel=1e-4)
    assert Image.open(out / "histograms.png").width > 300
    said = capsys.readouterr().out
    assert (
        f"{sum(row['foreign'] == 'yes' for row in rows)} of 12 images are foreign by the score likelihood"
        in said
    )


def test_a_rejecting_classification_says_none_of_these(fitted: Path, noise: Path, tmp_path: Path) -> None:
    plain, wary = tmp_path / "plain.csv", tmp_path / "wary.csv"
    assert main(["classify", str(fitted), str(noise), "--csv", str(plain), "--ignore-detector"]) == 0
    assert main(["classify", str(fitted), str(noise), "--csv", str(wary), "--reject"]) == 0
    foreign = pb.detect(fitted, str(noise)).foreign.tolist()
    assert any(foreign)
    for before, after, none in zip(read(plain), read(wary), foreign, strict=True):
        assert after["name"] == ("none of these" if none else before["name"])
        assert after["predicted"] == ("-1" if none else before["predicted"])
        assert float(after["probability"]) <= float(before["probability"]) + 1e-9


def test_a_model_with_a_detector_is_less_sure_of_foreign_images(
    fitted: Path, noise: Path, tmp_path: Path, capsys: Captured
) -> None:
    plain, wary = tmp_path / "plain.csv", tmp_path / "wary.csv"
    words = ["classify", str(fitted), str(noise), "--posterior", "--csv"]
    assert main([*words, str(plain), "--ignore-detector"]) == 0
    assert main([*words, str(wary)]) == 0
    detection = pb.detect(fitted, str(noise))
    belief = (detection.p_values / detection.false_alarms).clamp(max=1).tolist()
    assert min(belief) < 0.5
    for before, after, known in zip(read(plain), read(wary), belief, strict=True):
        assert (after["name"], after["runner_up"]) == (before["name"], before["runner_up"])
        assert float(after["probability"]) == pytest.approx(float(before["probability"]) * known, rel=1e-6)
        assert float(after["posterior_none of these"]) == pytest.approx(1 - known, abs=1e-6)
        assert "posterior_none of these" not in before
    other = shutil.copytree(fitted, tmp_path / "other")
    model = pb.load(fitted)
    model.prior = None
    with torch.no_grad():
        next(model.parameters()).add_(0.01)
    pb.save(model, other)
    capsys.readouterr()
    assert main(["classify", str(other), str(noise), "--csv", str(tmp_path / "stale.csv")]) == 0
    assert "fitted for other weights" in " ".join(capsys.readouterr().err.split())
    assert main(["classify", str(other), str(noise), "--reject", "--ignore-detector"]) == 2


def test_fitting_leaves_the_model_as_it_was(tiny_model_folder: Path, fitted: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        assert (fitted / name).read_bytes() == (tiny_model_folder / name).read_bytes()
    assert (fitted / FILE).is_file()
    assert not (tiny_model_folder / FILE).exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name the images to judge, or --fit"),
        (["digits", "--score", "dosé"], "unknown score"),
        (["digits", "--score", "ratio"], "unknown score 'ratio'"),
        (["digits", "--false-alarms", "0"], "between 0 and 1"),
        (["digits", "--false-alarms", "0.0001"], "too few"),
        (["digits", "--data", "digits"], "--data goes with --fit"),
        (["digits", "--first", "-1"], "--first"),
        (["nowhere/"], "nowhere"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    fitted: Path, tmp_path: Path, capsys: Captured, words: list[str], said: str
) -> None:
    before = (fitted / FILE).read_bytes()
    out = tmp_path / "found"
    assert main(["detect", str(fitted), *words, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.strip().count("\n") == 0
    assert not out.exists()
    assert (fitted / FILE).read_bytes() == before


def test_a_model_without_a_detector_says_how_to_fit_one(tiny_model_folder: Path, capsys: Captured) -> None:
    for command in (["detect"], ["classify", "--reject"]):
        assert main([command[0], str(tiny_model_folder), "digits", *command[1:]]) == 2
        assert "--fit" in capsys.readouterr().err


def test_nobody_elses_files_are_replaced(fitted: Path, noise: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "found"
    out.mkdir()
    (out / "scores.csv").write_text("mine")
    assert main(["detect", str(fitted), str(noise), "--out", str(out), "--overwrite"]) == 2
    assert "scores.csv" in capsys.readouterr().err
    assert (out / "scores.csv").read_text() == "mine"


def test_python_measures_foreign_images_and_needs_a_detector(fitted: Path, noise: Path) -> None:
    model = pb.load(fitted)
    known = pb.open_dataset("digits").train.levels[:30]
    found = pb.measure_foreign(fitted, known, str(noise))
    assert {each.name: each.auroc for each in found}["typicality"] > 0.8
    assert found == pb.measure_foreign(model, known, str(noise), pb.load_detector(fitted))
    with pytest.raises(pb.UserError, match="fit_detector"):
        pb.detect(model, known)
    with pytest.raises(pb.UserError, match="no images"):
        pb.detect(fitted, known[:0])


def test_evaluate_prints_how_well_each_score_tells_foreign_images(
    fitted: Path, noise: Path, tmp_path: Path, capsys: Captured
) -> None:
    words = [
        "evaluate",
        "--no-page",
        str(fitted),
        "--no-baselines",
        "--foreign",
        str(noise),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "AUROC" in said
    assert "together" in said


def test_regions_are_not_rejected_and_a_root_needs_its_set(
    fitted: Path, noise: Path, capsys: Captured
) -> None:
    assert main(["classify", str(fitted), str(noise), "--reject", "--region", "0:4,:"]) == 2
    assert "--region" in capsys.readouterr().err
    assert main(["evaluate", str(fitted), "--foreign-root", "x"]) == 2
    assert "--foreign-root goes with --foreign" in capsys.readouterr().err


def test_many_images_are_decoded_when_their_turn_comes(
    fitted: Path, noise: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["detect", str(fitted), str(noise), "--batch", "10", "--out"]
    assert main([*words, str(tmp_path / "whole")]) == 0
    monkeypatch.setattr("pixelbayes.data.decode_all.BLOCK", 3)
    monkeypatch.setattr("pixelbayes.tasks.detect.statistics.IMAGES_A_BLOCK", 2)
    assert main([*words, str(tmp_path / "parts")]) == 0
    whole, parts = (read(tmp_path / name / "scores.csv") for name in ("whole", "parts"))
    for one, other in zip(whole, parts, strict=True):
        assert (one["path"], one["foreign"]) == (other["path"], other["foreign"])
        assert float(one["local"]) == pytest.approx(float(other["local"]), abs=1e-3)
    (noise / "04.png").write_bytes((noise / "04.png").read_bytes()[:40])
    capsys.readouterr()
    assert main([*words, str(tmp_path / "bad")]) == 2
    assert "04.png" in capsys.readouterr().err
    assert not (tmp_path / "bad" / "scores.csv").exists()
    assert main([*words, str(tmp_path / "rest"), "--skip-bad-images", "--first", "6"]) == 0
    assert "1 unreadable" in " ".join(capsys.readouterr().err.split())
    assert [Path(row["path"]).name for row in read(tmp_path / "rest" / "scores.csv")] == [
        f"{number:02d}.png" for number in (0, 2, 6, 8, 10)
    ]
