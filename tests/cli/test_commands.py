"""Every command at work on a tiny model of the digits."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import pixelbayes as pb
from pixelbayes.cli import main
from pixelbayes.data import DataConfig
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
    assert main(["train", "digits", *words, "--max-steps", "1", "--no-page", "--out", str(out)]) == 0
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


def test_drawn_images_are_recognised_whatever_the_classes_are_called(tmp_path: Path) -> None:
    names = ("a/b", "A", "a", 'say "hi"', "a_b", "end. ")
    model = pb.save(pb.create("digits", classes=names, filters=2), tmp_path / "model")
    assert main(["generate", str(model), "--per-class", "1", "--out", str(tmp_path / "drawn")]) == 0
    answers = tmp_path / "answers.csv"
    assert main(["classify", str(model), str(tmp_path / "drawn"), "--csv", str(answers)]) == 0
    with answers.open() as file:
        rows = {row["path"].split("/")[-2]: row["true"] for row in csv.DictReader(file)}
    assert rows == {folder: str(index) for index, folder in enumerate(pb.Labels(names).folders)}


def test_drawn_images_among_photographs_are_no_class_of_them(tiny_model_folder: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for name in ("cat", "dog"):
        (photos / name).mkdir(parents=True)
        Image.new("L", (8, 8)).save(photos / name / "1.png")
    words = ["generate", str(tiny_model_folder), "--per-class", "1", "--out", str(photos / "drawn")]
    assert main(words) == 0
    assert pb.open_dataset(photos, DataConfig(validation_share=0)).classes.names == ("cat", "dog")


def test_overwriting_touches_nothing_that_it_did_not_draw(
    tiny_model_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    drawn = tmp_path / "drawn"
    words = ["generate", str(tiny_model_folder), "--per-class", "1", "--out", str(drawn), "--overwrite"]
    own = [drawn / "2026-05-01" / "0001.png", drawn / "7" / "0002.png"]
    for path in own:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"mine")
    assert main(words) == 0
    (drawn / "3" / "0001.png").write_bytes(b"edited")
    assert main([*words, "--classes", "1"]) == 0
    assert [path.read_bytes() for path in own] == [b"mine", b"mine"]
    assert (drawn / "3" / "0001.png").read_bytes() == b"edited"
    assert sorted(path.name for path in drawn.iterdir()) == [
        ".pixelbayes-images", "1", "2026-05-01", "3", "7", "samples.png",
    ]  # fmt: skip
    capsys.readouterr()
    assert main([*words, "--per-class", "2"]) == 2  # 3/0001.png and 7/0002.png are the user's now
    assert "not written by such a command" in capsys.readouterr().err
    assert own[1].read_bytes() == b"mine"


@pytest.mark.parametrize("command", ["train", "evaluate", "import", "demo"])
def test_no_command_writes_over_files_of_others(
    command: str, tiny_model_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    names = ("config.json", "metrics.json", "samples/step-0000001.png", "state/000000001.safetensors")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("hours of work")
    words = {
        "train": ["digits", "--recipe", "digits", "--max-steps", "1", "--overwrite"],
        "evaluate": [str(tiny_model_folder), "--overwrite"],
        "import": ["any.pth", "--overwrite"],
        "demo": [],
    }
    assert main([command, *words[command], "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") <= 3
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert found == sorted(names)
    assert all((tmp_path / name).read_text() == "hours of work" for name in names)


def test_training_anew_forgets_the_run_before_and_nothing_else(tmp_path: Path) -> None:
    words = [
        "train",
        "digits",
        "--recipe",
        "digits",
        "--network.filters",
        "2",
        "--max-steps",
        "2",
        "--no-page",
    ]
    words += ["--out", str(tmp_path), "--overwrite", "--device", "cpu"]
    assert main(words) == 0
    own = ("samples/step-mine.png", "events/notes.txt", "state/notes.txt", "samples/me.png")
    for name in own:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    first = set((tmp_path / "events").iterdir())
    assert main(words) == 2  # samples/step-mine.png looks like a sheet, but no run wrote it
    (tmp_path / own[0]).unlink()
    assert main(words) == 0
    assert all((tmp_path / name).read_text() == "mine" for name in own[1:])
    assert len(set((tmp_path / "events").iterdir()) & first) == 1  # the notes


def test_nothing_of_an_earlier_drawing_is_left_and_no_class_is_drawn_twice(
    tiny_model_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    words = ["generate", str(tiny_model_folder), "--out", str(tmp_path / "drawn"), "--per-class", "1"]
    assert main([*words, "--classes", "0,1"]) == 0
    assert main([*words, "--classes", "3,3", "--overwrite"]) == 0
    assert "1 images are in" in capsys.readouterr().out
    assert [file.parent.name for file in (tmp_path / "drawn").glob("*/*.png")] == ["3"]


def test_classes_of_a_model_without_classes(tmp_path: Path, capsys: Captured) -> None:
    model = pb.save(pb.create("digits", classes=(), filters=2), tmp_path / "plain")
    assert main(["generate", str(model), "--classes", "0", "--out", str(tmp_path / "drawn")]) == 2
    assert "no classes" in capsys.readouterr().err


def test_the_set_digits_is_not_a_folder_of_that_name(
    tiny_model_folder: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["generate", str(tiny_model_folder), "--per-class", "1", "--out", "digits"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("./digits")
    assert main(["classify", str(tiny_model_folder), "./digits", "--csv", "ten.csv"]) == 0
    assert len(Path("ten.csv").read_text().splitlines()) == 11
    pb.open_dataset("digits")
    assert "./digits" in capsys.readouterr().err


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


def test_predictions_and_logits_are_two_files(tmp_path: Path, capsys: Captured) -> None:
    words = ["--csv", str(tmp_path / "x.csv"), "--logits", str(tmp_path / "." / "y" / ".." / "x.csv")]
    assert main(["classify", "no-such-model", "digits", *words]) == 2
    assert "--csv and --logits name the same file" in " ".join(capsys.readouterr().err.split())


def test_evaluate_takes_the_validation_images_of_the_training(
    tiny_model_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "measured"
    assert main(["evaluate", str(tiny_model_folder), "--no-page", "--out", str(out)]) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert {"bits_per_dim", "accuracy", "balanced_accuracy", "macro_f1", "images", "classes"} <= set(metrics)
    assert metrics["images"] == len(the_digits()["validation"])
    assert 0 < metrics["bits_per_dim"] < 5
    assert (out / "confusion.png").stat().st_size > 0


def test_evaluate_says_how_many_images_its_figures_are_of(
    tiny_model_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    for row in range(4):
        Image.fromarray(np.full((8, 8), 16 * row, np.uint8)).save(tmp_path / f"{row}.png")
    (tmp_path / "some.csv").write_text("0.png,0\n1.png,1\n2.png,-1\n3.png,-1\n")
    words = ["evaluate", str(tiny_model_folder), "--data", str(tmp_path / "some.csv"), "--no-page", "--out"]
    assert main([*words, str(tmp_path / "out")]) == 0
    assert "2 images (and 2 of unknown class, which are not scored):" in capsys.readouterr().out


def test_evaluate_counts_the_images_of_a_model_without_classes(tmp_path: Path, capsys: Captured) -> None:
    pb.save(pb.create("digits", classes=(), filters=2), tmp_path / "plain")
    words = ["evaluate", str(tmp_path / "plain"), "--data", "digits", "--split", "validation", "--no-page"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    assert f"\n{len(the_digits()['validation'])} images: " in "\n" + capsys.readouterr().out


def test_colour_images_are_made_grey_for_a_grey_model_and_that_is_said(
    tiny_model_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    Image.new("RGB", (8, 8), (200, 10, 10)).save(tmp_path / "red.png")
    assert main(["classify", str(tiny_model_folder), str(tmp_path / "red.png")]) == 0
    assert "grey" in capsys.readouterr().err


def test_a_grey_image_is_taken_where_the_training_had_some(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / "mixed" / name).mkdir(parents=True)
        for row in range(6):
            picture = Image.fromarray(np.full((4, 4), 40 * row, np.uint8))
            (picture if row % 2 else picture.convert("RGB")).save(tmp_path / "mixed" / name / f"{row}.png")
    words = ["--network.filters", "2", "--network.scales", "1", "--max-steps", "1", "--no-page"]
    assert main(["train", str(tmp_path / "mixed"), *words, "--out", str(tmp_path / "run")]) == 0
    assert main(["classify", str(tmp_path / "run"), str(tmp_path / "mixed" / "a" / "1.png")]) == 0


def test_a_place_that_cannot_be_written_is_found_before_the_work(
    tiny_model_folder: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    classify = ["classify", str(tiny_model_folder), "digits", "--csv"]
    assert main([*classify, str(tmp_path / "file" / "some.csv")]) == 2
    assert f"{tmp_path / 'file'} is a file, not a folder" in capsys.readouterr().err
    monkeypatch.setattr("os.access", lambda place, mode: False)  # root may write everywhere
    for words in ([*classify, "some.csv"], ["train", "digits", "--out", str(tmp_path / "new")]):
        assert main(words) == 2
        assert "permission denied" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("columns", ["", "80", "60"])
def test_list_shows_the_figures_of_the_weights_that_are_kept(
    columns: str, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the run's name leaves little room."""
    monkeypatch.setenv("COLUMNS", columns)
    (tmp_path / "journal.csv").write_text(
        "step,seconds,validation_bits_per_dim,validation_accuracy\n1,1,2.0,0.5\n2,2,2.5,0.9\n"
    )
    config = {
        "model": {"network": {}, "shape": {}, "classes": []},
        "description": {"training": {"step": 2}},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert main(["list", "runs", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "2.5000" in shown
    assert "90.0%" in shown


def test_evaluate_takes_the_validation_images_of_other_data(tiny_model_folder: Path, tmp_path: Path) -> None:
    for split, count in (("train", 3), ("validation", 2)):
        for name in "01":
            (tmp_path / split / name).mkdir(parents=True)
            for row in range(count):
                pixels = np.full((8, 8), 16 * row, np.uint8)
                Image.fromarray(pixels).save(tmp_path / split / name / f"{row}.png")
    for data, images in ((tmp_path, 4), (tmp_path / "train", 6)):
        out = tmp_path / f"of-{images}"
        assert (
            main(["evaluate", str(tiny_model_folder), "--data", str(data), "--no-page", "--out", str(out)])
            == 0
        )
        assert json.loads((out / "metrics.json").read_text())["images"] == images


def test_images_that_were_trained_on_are_not_called_held_out(tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "run"
    words = [
        "train",
        "digits",
        "--recipe",
        "digits",
        "--network.filters",
        "2",
        "--max-steps",
        "1",
        "--no-page",
    ]
    assert main([*words, "--add-validation", "--device", "cpu", "--out", str(out)]) == 0
    assert main(["evaluate", str(out), "--out", str(tmp_path / "measured")]) == 2
    assert "trained on its validation images" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "measured").exists()


def test_a_model_without_a_state_is_not_resumed(
    tiny_model_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    place = tmp_path / "copy"
    place.mkdir()
    for name in ("config.json", "model.safetensors"):
        (place / name).write_bytes((tiny_model_folder / name).read_bytes())
    before = (place / "model.safetensors").read_bytes()
    assert main(["train", "digits", "--recipe", "digits", "--resume", "--out", str(place)]) == 2
    assert "no state" in capsys.readouterr().err
    assert (place / "model.safetensors").read_bytes() == before


def test_list_shows_runs_models_and_recipes(tiny_model_folder: Path, capsys: Captured) -> None:
    assert main(["list", "runs", str(tiny_model_folder.parent)]) == 0
    shown = capsys.readouterr().out
    assert tiny_model_folder.name in shown
    assert "pixelcnn_pp" in shown
    assert main(["list", "models", str(tiny_model_folder.parent)]) == 0
    assert "pixelcnn_pp" in capsys.readouterr().out
    assert main(["list", "models", str(tiny_model_folder)]) == 0
    assert json.loads(capsys.readouterr().out)["model"]["network"]["filters"] == 8


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ("[1, 2]", "config.json is no table"),
        ("5", "config.json is no table"),
        ('{"model": ', "config.json cannot be read: it is no JSON"),
        ('{"model": null}', "model is missing"),
        ({"description": None}, "description is missing"),
        ({"description": {"recipe": 3}}, "description.recipe must be a table"),
        ({"description": {"data": "photos"}}, "description.data must be a table"),
        ({"description": {"data": {"source": 3}}}, "description.data source must be a text"),
        ({"model": {"network": {}, "shape": {}, "classes": [0, 1]}}, "model.classes are not all texts"),
        ({"description": {"recipe": None, "data": {"source": None}}}, ""),
    ],
    ids=str,
)
def test_a_broken_entry_is_a_row_beside_the_others(
    config: str | dict[str, object], wanted: str, tiny_model_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    for name in ("good", "spoiled"):
        shutil.copytree(tiny_model_folder, tmp_path / name, ignore=shutil.ignore_patterns("state", "events"))
    whole = json.loads((tmp_path / "good" / "config.json").read_text())
    text = config if isinstance(config, str) else json.dumps(whole | config)
    (tmp_path / "spoiled" / "config.json").write_text(text)
    for what, told in (("runs", "pixelcnn_pp"), ("models", "pixelcnn_pp")):
        assert main(["list", what, str(tmp_path)]) == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert told in shown
        assert wanted in shown
        assert ("what is wrong" in shown) == bool(wanted)
    assert main(["list", "models", str(tmp_path / "spoiled")]) == (2 if wanted else 0)
    assert wanted in capsys.readouterr().err


def test_a_journal_that_cannot_be_read_is_a_row_too(
    tiny_model_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "journal.csv").write_text("step\n7777\n")
    (tmp_path / "spoiled" / "journal.csv").mkdir(parents=True)
    assert main(["list", "runs", str(tmp_path)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "7777" in shown
    assert "journal.csv cannot be read" in shown


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
    for wrong in (["--classes", ""], ["--classes", "ten"], ["--temperature", "-1"]):
        assert main(["generate", str(tiny_model_folder), *wrong, "--out", str(out)]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not out.exists()


def test_a_standard_set_is_found_by_its_root(
    tiny_model_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    for words in (
        ["classify", str(tiny_model_folder), "mnist"],
        ["evaluate", str(tiny_model_folder), "--data", "mnist"],
        ["calibrate", str(tiny_model_folder), "--data", "mnist"],
        ["complete", str(tiny_model_folder), "mnist", "--keep", "0:4,:"],
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
        ["evaluate", str(tiny_model_folder), "--data", str(out), "--no-page"],
    ):
        assert main([*words, *(["--out", str(tmp_path / "measured")] if words[0] == "evaluate" else [])]) == 0
        assert "samples.png" in capsys.readouterr().err
