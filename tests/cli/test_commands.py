"""Every command at work on a tiny model of the digits."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import pixelbayes as pb
from pixelbayes.cli import main
from pixelbayes.recipe import load_recipe

Captured = pytest.CaptureFixture[str]


def the_digits() -> dict[str, pb.ImageSet]:
    """The splits that the recipe trains on."""
    return pb.open_dataset("digits", load_recipe("digits").data).splits


def test_a_run_is_a_model_with_its_journal_and_pictures(tiny_model_folder: Path) -> None:
    names = {path.name for path in tiny_model_folder.iterdir()}
    assert {"config.json", "model.safetensors", "journal.csv", "curves.png", "samples.png"} <= names
    assert load_recipe(tiny_model_folder).network.filters == 8


def test_training_prints_its_plan_and_what_to_try_next(tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "run"
    words = ["--recipe", "digits", "--network.filters", "4", "--training.batch", "32", "--data.levels", "2"]
    assert main(["train", "digits", *words, "--max-steps", "1", "--device", "cpu", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert f"train: {len(the_digits()['train']):,} images" in said
    assert said.splitlines()[-4].endswith(f"are in {out}. Try next:")
    assert [line.split()[1] for line in said.splitlines()[-3:]] == ["generate", "evaluate", "classify"]
    model = pb.load(out)
    assert model.shape.levels == 2


def test_a_finished_run_is_not_written_over_unasked(tiny_model_folder: Path, capsys: Captured) -> None:
    before = (tiny_model_folder / "model.safetensors").read_bytes()
    assert main(["train", "digits", "--recipe", "digits", "--out", str(tiny_model_folder)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (tiny_model_folder / "model.safetensors").read_bytes() == before


def test_generated_digits_are_read_back_and_classified(
    tiny_model_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    model, out = str(tiny_model_folder), tmp_path / "drawn"
    assert (
        main(["generate", model, "--per-class", "2", "--classes", "3,7", "--seed", "5", "--out", str(out)])
        == 0
    )
    files = sorted(path.relative_to(out).as_posix() for path in out.glob("*/*.png"))
    assert files == ["3/0001.png", "3/0002.png", "7/0001.png", "7/0002.png"]
    assert Image.open(out / "samples.png").width > 16
    capsys.readouterr()
    answers = tmp_path / "answers.csv"
    assert main(["classify", model, str(out), "--csv", str(answers)]) == 0
    assert "4 images of known class: accuracy" in capsys.readouterr().out
    with answers.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["true"] for row in rows] == ["3", "3", "7", "7"]
    levels = pb.generate(pb.load(model), labels=[3, 3, 7, 7], seed=5)
    nats = pb.classify(pb.load(model), levels).log_likelihoods
    wanted = [nats[row, int(rows[row]["predicted"])].item() for row in range(4)]
    assert [float(row["log_likelihood_nats"]) for row in rows] == pytest.approx(wanted, abs=1e-3)


def test_another_seed_draws_other_images_and_overwriting_leaves_no_old_ones(
    tiny_model_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "drawn"
    words = ["generate", str(tiny_model_folder), "--classes", "1", "--out", str(out)]
    assert main([*words, "--per-class", "3", "--seed", "1"]) == 0
    first = (out / "1" / "0001.png").read_bytes()
    assert main([*words, "--per-class", "2", "--seed", "1"]) == 2
    assert main([*words, "--per-class", "2", "--seed", "2", "--overwrite"]) == 0
    assert len(list((out / "1").glob("*.png"))) == 2
    assert (out / "1" / "0001.png").read_bytes() != first


def test_logits_are_likelihoods_in_input_order(tiny_model_folder: Path, tmp_path: Path) -> None:
    logits = tmp_path / "logits.npy"
    assert (
        main(["classify", str(tiny_model_folder), "digits", "--split", "test", "--logits", str(logits)]) == 0
    )
    found = np.load(logits)
    test = the_digits()["test"]
    assert found.dtype == np.float64
    assert found.shape == (len(test), 10)
    model = pb.load(tiny_model_folder)
    with torch.no_grad():
        own = model.log_prob(test.levels[:3], test.labels[:3])
    assert found[range(3), test.labels[:3]] == pytest.approx(own.numpy(), abs=1e-3)


def test_predictions_are_not_written_over_unasked(
    tiny_model_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    answers = tmp_path / "answers.csv"
    answers.write_text("mine")
    words = ["classify", str(tiny_model_folder), "digits", "--split", "test", "--csv", str(answers)]
    assert main(words) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert answers.read_text() == "mine"


def test_evaluate_takes_the_validation_images_of_the_training(
    tiny_model_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "measured"
    assert main(["evaluate", str(tiny_model_folder), "--out", str(out)]) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert {"bits_per_dim", "accuracy", "balanced_accuracy", "macro_f1", "images", "classes"} <= set(metrics)
    assert metrics["images"] == len(the_digits()["validation"])
    assert 0 < metrics["bits_per_dim"] < 5
    assert (out / "confusion.png").stat().st_size > 0


def test_list_shows_runs_models_and_recipes(tiny_model_folder: Path, capsys: Captured) -> None:
    assert main(["list", "runs", str(tiny_model_folder.parent)]) == 0
    shown = capsys.readouterr().out
    assert tiny_model_folder.name in shown
    assert "digits" in shown
    assert main(["list", "models", str(tiny_model_folder.parent)]) == 0
    assert "pixelcnn_pp" in capsys.readouterr().out
    assert main(["list", "models", str(tiny_model_folder)]) == 0
    assert json.loads(capsys.readouterr().out)["model"]["network"]["filters"] == 8


def test_a_printed_recipe_can_be_started_from(tmp_path: Path, capsys: Captured) -> None:
    assert main(["list", "recipes", "cpen455-small"]) == 0
    file = tmp_path / "cpen455-small.toml"
    file.write_text(capsys.readouterr().out)
    assert load_recipe(file) == load_recipe("cpen455-small")


def test_reference_weights_become_a_model_that_draws(shared: Path, tmp_path: Path) -> None:
    out, drawn = tmp_path / "imported", tmp_path / "drawn"
    assert (
        main(["import", str(shared / "reference" / "pixelcnn_pp_grey.safetensors"), "--out", str(out)]) == 0
    )
    assert pb.load(out).shape.channels == 1
    assert main(["generate", str(out), "--per-class", "1", "--out", str(drawn)]) == 0
    assert [path.name for path in (drawn / "images").iterdir()] == ["0001.png"]
    assert main(["classify", str(out), "digits"]) == 2


def test_a_refused_command_leaves_no_folder(
    tiny_model_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "drawn"
    for wrong in (["--classes", ""], ["--classes", "ten"], ["--temperature", "0"]):
        assert main(["generate", str(tiny_model_folder), *wrong, "--out", str(out)]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not out.exists()


def test_a_standard_set_is_found_by_its_root(
    tiny_model_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    for words in (
        ["classify", str(tiny_model_folder), "mnist"],
        ["evaluate", str(tiny_model_folder), "--data", "mnist"],
    ):
        assert main([*words, "--root", str(tmp_path)]) == 2
        assert f"not found in {tmp_path}" in capsys.readouterr().err


def test_notices_about_the_images_are_said(tiny_model_folder: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "drawn"
    assert (
        main(["generate", str(tiny_model_folder), "--per-class", "1", "--classes", "3", "--out", str(out)])
        == 0
    )
    for words in (
        ["classify", str(tiny_model_folder), str(out)],
        ["evaluate", str(tiny_model_folder), "--data", str(out)],
    ):
        assert main([*words, *(["--out", str(tmp_path / "measured")] if words[0] == "evaluate" else [])]) == 0
        assert "samples.png" in capsys.readouterr().err
