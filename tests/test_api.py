"""The Python side: models from recipes without data, training on arrays, parts of other people."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import pixelbayes as pb
from pixelbayes.cli import main
from pixelbayes.extensions import import_extensions


def test_every_public_name_is_there() -> None:
    for name in pb.__all__:
        assert getattr(pb, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'tran'"):
        _ = pb.tran


def test_create_knows_shape_and_classes_without_data() -> None:
    model = pb.create("cpen455-small", network={"filters": 4}, mixtures=2)
    assert model.shape == pb.ImageShape(3, 32, 32, 256)
    assert model.classes.names == ("burger", "panda", "koala", "pizza")
    assert model.config.distribution.mixtures == 2


def test_create_takes_other_classes() -> None:
    model = pb.create("digits", classes=["odd", "even"], filters=4)
    assert model.classes.names == ("odd", "even")
    assert pb.create("digits", classes=range(2), filters=4).classes.names == ("0", "1")
    assert pb.create("digits", classes=(), filters=4).log_prob(
        torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    ).shape == (1,)


def test_create_needs_a_shape() -> None:
    with pytest.raises(pb.UserError, match=r"data\.size"):
        pb.create("digits", **{"data.size": None})


@pytest.mark.parametrize("classes", [[None], [b"odd", b"even"], [True, False], "odd", 2])
def test_a_class_has_a_name(classes: object) -> None:
    with pytest.raises(pb.UserError, match=r"the name of a class is text|classes are a list of names"):
        pb.create("digits", classes=classes)


def test_a_label_strategy_can_be_given_by_its_name() -> None:
    assert pb.create("digits", fusion="film", filters=4).config.fusion.strategy == "film"
    with pytest.raises(pb.UserError, match="did you mean 'film'"):
        pb.create("digits", fusion="flim")
    with pytest.raises(pb.UserError, match="training is a table of fields"):
        pb.create("digits", training="fast")
    with pytest.raises(pb.UserError, match=r"unknown field .*'mixtures' \(known: none\)"):
        pb.create("digits", distribution={"name": "categorical", "mixtures": 3})


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda model: pb.load(None), "the model is named by a path"),
        (lambda model: pb.import_weights(3), "the checkpoint is named by a path"),
        (lambda model: pb.open_dataset(None), "named by a path"),
        (lambda model: pb.train("digits", out=3), "the run's folder is named by a path"),
        (lambda model: pb.generate("runs/demo", [0]), r"load it with pb\.load\('runs/demo'\)"),
        (lambda model: pb.classify("runs/demo", np.zeros((1, 1, 8, 8), np.uint8)), "a model is needed"),
        (lambda model: pb.evaluate(None), "a model is needed"),
        (lambda model: pb.evaluate(model), "does not know which data it was trained on"),
        (lambda model: pb.check_causality("runs/demo"), "a model is needed"),
        (lambda model: pb.generate(model, [0], size="ab"), "size is a height and a width"),
        (lambda model: pb.generate(model, [0], size=8), "size is a height and a width"),
        (lambda model: pb.generate(model, [0], size=("8", 8)), "the height must be a whole number"),
        (lambda model: pb.generate(model, [0], size=(8, 0)), "the width must be 1 or more"),
        (lambda model: pb.generate(model, [0], temperature=None), "the temperature needs a value"),
        (lambda model: pb.generate(model, [0], seed=None), "the seed needs a value"),
        (lambda model: pb.cross_validate("digits", folds="5"), "the folds must be a whole number"),
        (lambda model: pb.cross_validate("digits", folds=1), "the folds must be 2 or more"),
    ],
)
def test_what_is_no_model_path_or_number_is_said(ask, reason: str) -> None:
    with pytest.raises(pb.UserError, match=reason):
        ask(pb.create("digits", filters=4))


def test_a_model_is_evaluated_on_what_its_training_held_out(tmp_path: Path) -> None:
    model = pb.train("digits", recipe="digits", filters=4, max_steps=1, device="cpu", out=tmp_path / "run")
    assert pb.evaluate(model, progress=False).images == 144


def test_one_module_to_import_may_be_given_as_text() -> None:
    assert import_extensions("os") == ("os",)


def test_training_on_arrays(tmp_path: Path) -> None:
    images = np.arange(40 * 36, dtype=np.uint8).reshape(40, 6, 6) % 4
    labels = ["left", "right"] * 20
    model = pb.train(
        images, labels, recipe="digits", size=6, levels=4, filters=4, batch=8, max_steps=1, device="cpu",
        out=tmp_path / "run",
    )  # fmt: skip
    assert model.classes.names == ("left", "right")
    assert model.shape == pb.ImageShape(1, 6, 6, 4)
    assert pb.load(tmp_path / "run").classes == model.classes


def test_groups_of_arrays_are_not_split(tmp_path: Path) -> None:
    images = np.zeros((40, 4, 4), np.uint8)
    images[:, 0, 0] = np.arange(40) // 4  # the group is in the image
    asked = {
        "recipe": "digits", "size": 4, "levels": 17, "filters": 2, "max_steps": 1, "device": "cpu",
        "groups": [f"burst {row // 4}" for row in range(40)],
    }  # fmt: skip
    found = pb.cross_validate(images, [0, 1] * 20, folds=2, out=tmp_path / "folds", **asked)
    assert found.pooled.images == 40
    with (tmp_path / "folds" / "predictions.csv").open() as file:
        rows = [int(row["path"].split("[")[1].rstrip("]")) // 4 for row in csv.DictReader(file)]
    first, second = set(rows[:20]), set(rows[20:])
    assert first.isdisjoint(second)
    with pytest.raises(pb.UserError, match="groups go with arrays"):
        pb.train("digits", groups=["a"], max_steps=1)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"minutes": "1"}, "the minutes must be a number, not '1'"),
        ({"max_steps": 2.5}, r"the steps .* must be a whole number, not 2\.5"),
        ({"seed": "x"}, "the seed must be a whole number, not 'x'"),
    ],
)
def test_a_budget_of_another_type_is_refused(words: dict[str, object], reason: str) -> None:
    with pytest.raises(pb.UserError, match=reason):
        pb.train("digits", **words)


def test_classes_are_names() -> None:
    for classes in (3, "abc"):
        with pytest.raises(pb.UserError, match="classes are a list of names"):
            pb.create("digits", classes=classes)


def test_images_of_several_sizes_are_no_array() -> None:
    with pytest.raises(pb.UserError, match="the images differ in size"):
        pb.train([np.zeros((4, 4), np.uint8), np.zeros((5, 4), np.uint8)], [0, 1], max_steps=1)


def test_there_is_no_training_on_nothing() -> None:
    with pytest.raises(pb.UserError, match="no data to train on"):
        pb.train(None, max_steps=1)


LEVELS = np.arange(4 * 64, dtype=np.uint8).reshape(4, 1, 8, 8) % 17
LABELS = ["b", "a", "c", "b"]
INDICES = [1, 0, 2, 1]


@pytest.fixture(scope="module")
def abc() -> pb.AutoregressiveImageModel:
    torch.manual_seed(0)
    model = pb.create("digits", classes=["a", "b", "c"], filters=2)
    for parameter in model.parameters():
        parameter.data += torch.randn_like(parameter) * 0.1
    return model


def image_set(labels: list[int], classes: tuple[str, ...], levels: int = 17) -> pb.ImageSet:
    shape = pb.ImageShape(1, 8, 8, levels)
    return pb.ImageSet(
        torch.from_numpy(LEVELS), torch.tensor(labels), list("wxyz"), pb.Labels(classes), shape
    )


def a_dataset(*splits: str) -> pb.Dataset:
    images = image_set(INDICES, ("a", "b", "c"))
    return pb.Dataset("mine", dict.fromkeys(splits, images), images.classes, images.shape)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (LEVELS, {"labels": LABELS}),
        (LEVELS.astype(np.uint16), {"labels": np.array(INDICES)}),
        (torch.from_numpy(LEVELS), {"labels": torch.tensor(INDICES)}),
        (a_dataset("train", "validation"), {}),
        (a_dataset("train", "test"), {"split": "test"}),
        (image_set([0, 2, 1, 0], ("b", "c", "a")), {}),  # in another order
        (image_set([3, 1, 0, 3], ("c", "a", "other", "b")), {}),  # a class that does not occur
    ],
)
def test_evaluate_takes_images_in_any_form_and_matches_classes_by_name(abc, images, words) -> None:
    wanted = pb.measure.evaluate_set(abc, image_set(INDICES, ("a", "b", "c")), progress=False)
    assert pb.evaluate(abc, images, **words, progress=False) == wanted


def test_unknown_classes_stay_unknown(abc) -> None:
    assert pb.evaluate(abc, LEVELS, progress=False).labelled == 0
    assert pb.evaluate(abc, LEVELS, [0, -1, 1, -1], progress=False).labelled == 2
    assert pb.evaluate(abc, image_set([-1, 0, 1, -1], ("b", "a")), progress=False).confusion is not None
    assert pb.evaluate(abc, image_set([-1] * 4, ()), progress=False).labelled == 0


@pytest.mark.parametrize(
    ("images", "words", "reason"),
    [
        (3, {}, "integer levels, not int"),
        (None, {"labels": [0]}, "labels go with arrays"),
        (LEVELS, {"labels": [0, 1]}, "4 images need 4 labels"),
        (LEVELS, {"labels": ["a", "b", "c", "d"]}, "unknown class 'd'"),
        (LEVELS, {"labels": [0, 1, 2, 3]}, "class 3 is outside"),
        (LEVELS, {"split": "test"}, "split 'test' goes with"),
        (LEVELS[:0], {"labels": []}, "no images"),
        ("digits", {"labels": INDICES}, "labels go with arrays"),
        (a_dataset("train"), {}, "mine has no validation split"),
        (a_dataset("train"), {"split": "test"}, "unknown split"),
        (image_set(INDICES, ("a", "dog", "c")), {}, r"dog are outside the model's classes \(a, b, c\)"),
        (image_set(INDICES, ("a", "b", "c"), levels=18), {}, "not 1x8x8, 18 levels"),
    ],
)
def test_what_evaluate_cannot_measure_is_refused(abc, images, words, reason: str) -> None:
    with pytest.raises(pb.UserError, match=reason):
        pb.evaluate(abc, images, **words, progress=False)


def test_evaluate_takes_a_word_as_on_the_command_line(tiny_model_folder: Path) -> None:
    model = pb.load(tiny_model_folder)
    data = pb.open_dataset("digits", pb.load_recipe("digits").data)
    found = pb.evaluate(model, "digits", split="test", progress=False)
    assert found == pb.evaluate(model, data, split="test", progress=False)
    assert found.accuracy is not None
    small = pb.create("digits", classes=(), filters=2)
    test = data.splits["test"]
    assert pb.evaluate(small, test.levels, progress=False).labelled == 0
    with pytest.raises(pb.UserError, match="no classes: it takes no labels"):
        pb.evaluate(small, test.levels, test.labels, progress=False)


PARTS = """
from dataclasses import dataclass
from pixelbayes.fusion import STRATEGIES, Act, Strategy
from pixelbayes.networks import CONFIGS, PixelCNNPPConfig

STRATEGIES.register("her_strategy")(Strategy((Act("head", "scale_shift"),)))

@CONFIGS.register("her_network")
@dataclass(frozen=True)
class Flat(PixelCNNPPConfig):
    scales: int = 1
"""


HERS = """
from pixelbayes.cli import main
chosen = ["--network", "her_network", "--fusion.strategy", "her_strategy", "--network.filters", "4"]
small = ["--recipe", "digits", "--max-steps", "1", "--device", "cpu", "--no-page", "--out", "mine"]
train, asked = ["train", "digits", *small, *chosen], ["--import", "her_parts"]
assert main(train) == 2
assert main([*train, *asked]) == 0
assert main(["generate", "mine", "--per-class", "1", *asked]) == 0
"""


def test_parts_of_other_people_are_loaded_only_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Parts stay known in the process that loaded them: another one trains, and this one has never heard of them."""
    (tmp_path / "her_parts.py").write_text(PARTS)
    trained = subprocess.run(
        [sys.executable, "-c", HERS], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert trained.returncode == 0, trained.stderr
    assert "unknown network 'her_network'" in trained.stderr
    assert json.loads((tmp_path / "mine" / "config.json").read_text())["imports"] == ["her_parts"]
    monkeypatch.chdir(tmp_path)
    assert main(["generate", "mine", "--per-class", "1"]) == 2
    assert "--import her_parts" in capsys.readouterr().err


def test_a_module_of_other_people_is_loaded_only_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "her_parts.py").write_text("loaded = True\n")
    (tmp_path / "broken_parts.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["/nowhere", *__import__("sys").path])
    assert import_extensions(["her_parts"]) == ("her_parts",)
    with pytest.raises(pb.UserError, match="broken_parts: ZeroDivisionError"):
        import_extensions(["broken_parts"])
