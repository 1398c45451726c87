"""k-fold evaluation."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixelbayes as pb
from pixelbayes import planning
from pixelbayes.api import settings_for
from pixelbayes.cli import main
from pixelbayes.cross_validation import CrossValidation, FoldImages
from pixelbayes.runs import find_runs

SMALL = {
    "filters": 4,
    "training.batch": 8,
    "training.sample_every": 0.0,
    "training.precision": "32-true",
}


@pytest.fixture(scope="module")
def images() -> tuple[np.ndarray, np.ndarray]:
    """Forty images of two classes, dark and bright."""
    labels = np.arange(40) % 2
    noise = np.random.default_rng(0).integers(0, 6, (40, 6, 6))
    return (noise + 10 * labels[:, None, None]).astype(np.uint8), labels


def test_every_image_is_judged_once_by_a_model_that_has_not_seen_it(
    images: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    fields = {**SMALL, "data.levels": 17}
    found = pb.cross_validate(
        *images, folds=4, recipe="digits", out=tmp_path / "cv", max_steps=30, device="cpu", **fields
    )
    assert [fold.images for fold in found.folds] == [10] * 4
    assert found.pooled.images == 40
    assert found.pooled.accuracy > 0.8
    mean = np.mean([fold.bits_per_dim for fold in found.folds])
    assert found.pooled.bits_per_dim == pytest.approx(mean)
    assert found.spread("bits_per_dim") == (pytest.approx(mean), pytest.approx(_sd(found)))
    with (tmp_path / "cv" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len({row["path"] for row in rows}) == 40
    written = json.loads((tmp_path / "cv" / "metrics.json").read_text())
    assert written["images"] == 40
    assert len(written["folds"]) == 4
    assert (tmp_path / "cv" / "confusion.png").exists()
    for number in range(4):
        model = pb.load(tmp_path / "cv" / f"fold-{number}")
        assert model.record.data.config["fold"] == number


def _sd(found: CrossValidation) -> float:
    return float(np.std([fold.bits_per_dim for fold in found.folds], ddof=1))


def test_finished_folds_are_kept_when_it_is_resumed(
    images: tuple[np.ndarray, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {**SMALL, "data.levels": 17}
    options = {
        "folds": 2,
        "recipe": "digits",
        "out": tmp_path / "cv",
        "max_steps": 2,
        "device": "cpu",
        **fields,
    }
    whole = pb.cross_validate(*images, **options)
    before = (tmp_path / "cv" / "fold-0" / "model.safetensors").stat().st_mtime_ns
    for file in (tmp_path / "cv" / "fold-1").rglob("*.*"):
        file.unlink()
    again = pb.cross_validate(*images, **options, resume=True)
    assert (tmp_path / "cv" / "fold-0" / "model.safetensors").stat().st_mtime_ns == before
    assert again.pooled.bits_per_dim == whole.pooled.bits_per_dim
    with pytest.raises(pb.UserError, match="other folds"):
        pb.cross_validate(*images, **{**options, "folds": 3}, resume=True)
    with pytest.raises(pb.UserError, match="other data"):
        pb.cross_validate(16 - images[0], images[1], **options, resume=True)
    with pytest.raises(pb.UserError, match="another recipe"):
        pb.cross_validate(*images, **{**options, "filters": 5}, resume=True)
    for changed in ({"seed": 7}, {"max_steps": 9}, {"training.learning_rate": 0.5}):
        with pytest.raises(pb.UserError, match="begin anew with another out="):
            pb.cross_validate(*images, **{**options, **changed}, resume=True)


def test_images_that_came_later_are_left_out_of_folds_that_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, cv = tmp_path / "images", tmp_path / "cv"

    def add(name: str, count: int) -> None:
        (folder / name[0]).mkdir(parents=True, exist_ok=True)
        for row in range(count):
            noise = np.random.default_rng([row, *name.encode()]).integers(0, 256, (4, 4), dtype=np.uint8)
            Image.fromarray(noise).save(folder / name[0] / f"{name}{row}.png")

    def folds(begun_in: Path | None) -> list[str]:
        source = FoldImages(folder, None, None, begun_in)
        cuts = [settings_for(None, {"data.folds": 2, "data.fold": fold}) for fold in range(2)]
        found = [source.open(settings).fingerprint() for settings in cuts]
        if begun_in is None:
            cv.mkdir()
            source.write(cv)
        return found

    add("a", 5)
    add("b", 5)
    begun = folds(None)
    assert folds(cv) == begun
    assert not capsys.readouterr().err
    add("a-early", 2)
    add("c", 3)
    assert folds(cv) == begun
    assert "5 images of" in capsys.readouterr().err
    (folder / "b/b0.png").unlink()
    with pytest.raises(
        pb.UserError, match=r"1 of the 10 images that the folds in .* were begun with are gone"
    ):
        folds(cv)
    (cv / "folds.json").write_text("[1")
    with pytest.raises(pb.UserError, match=r"folds.json cannot be read"):
        folds(cv)


def test_of_arrays_those_at_the_end_came_later(tmp_path: Path) -> None:
    values, labels = np.random.default_rng(0).integers(0, 99, (12, 4, 4)), list("ab") * 6
    settings = settings_for("digits", {"data.folds": 2, "data.fold": 0, "levels": 256})
    begun = FoldImages(values[:10], labels[:10], None, None)
    before = begun.open(settings)
    begun.write(tmp_path)
    assert FoldImages(values, labels, None, tmp_path).open(settings).fingerprint() == before.fingerprint()
    with pytest.raises(pb.UserError, match="2 of the 10 images"):
        FoldImages(values[:8], labels[:8], None, tmp_path).open(settings)


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "cv"
    words = [
        "train",
        "digits",
        "--recipe",
        "digits",
        "--network.filters",
        "2",
        "--network.scales",
        "1",
        "--max-steps",
        "1",
        "--folds",
        "2",
    ]
    assert main([*words, "--device", "cpu", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "fold 1 (of 0 to 1)" in told
    assert "each judged by a model that was not trained on it" in " ".join(told.split())
    assert json.loads((out / "metrics.json").read_text())["images"] == 1797
    assert main([*words, "--device", "cpu", "--out", str(out)]) == 2
    assert "not empty" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--folds", "1"], ["--folds", "3", "--add-validation"]])
def test_what_makes_no_sense_is_refused(words: list[str], tmp_path: Path) -> None:
    out = tmp_path / "cv"
    assert main(["train", "digits", *words, "--recipe", "digits", "--out", str(out)]) == 2
    assert not out.exists()


def test_models_of_an_earlier_evaluation_in_more_folds_are_named(
    images: tuple[np.ndarray, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fields = {**SMALL, "data.levels": 17, "recipe": "digits", "max_steps": 1, "device": "cpu"}
    pb.cross_validate(*images, folds=3, out=tmp_path / "cv", **fields)
    assert "earlier evaluation" not in capsys.readouterr().err
    pb.cross_validate(*images, folds=2, out=tmp_path / "cv", overwrite=True, **fields)
    assert "fold-2 in " in capsys.readouterr().err
    assert (tmp_path / "cv" / "fold-2").is_dir()


def test_folds_are_planned_once(
    images: tuple[np.ndarray, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = []

    def plan_otherwise_each_time(*arguments: object) -> planning.Plan:
        chosen = planning.plan(*arguments)  # type: ignore[arg-type]
        planned.append(replace(chosen, network=replace(chosen.network, dropout=0.1 * (1 + len(planned)))))
        return planned[-1]

    monkeypatch.setattr("pixelbayes.api.plan", plan_otherwise_each_time)
    pb.cross_validate(*images, folds=3, out=tmp_path / "cv", max_steps=2, device="cpu", **SMALL)
    assert len(planned) == 1
    networks = {pb.load(tmp_path / "cv" / f"fold-{number}").config.network for number in range(3)}
    assert len(networks) == 1
    assert [run.folder.name for run in find_runs(tmp_path)] == ["fold-0", "fold-1", "fold-2"]


def test_folds_take_the_levels_of_train(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = np.random.default_rng(0).integers(0, 17, (40, 6, 6), dtype=np.uint8)
    words = {"max_steps": 1, "device": "cpu", **SMALL}
    pb.cross_validate(pictures, np.arange(40) % 2, folds=2, out=tmp_path / "cv", **words)
    assert {pb.load(tmp_path / "cv" / f"fold-{number}").shape.levels for number in range(2)} == {17}
    assert capsys.readouterr().out.count("17 levels instead of 256") == 1
