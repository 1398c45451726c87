"""Starting from a trained model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.training.run_small import recipe

import pixelbayes as pb
from pixelbayes.data import Dataset
from pixelbayes.errors import UserError
from pixelbayes.evaluating import held_out
from pixelbayes.fusion import FusionConfig
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape
from pixelbayes.model import AutoregressiveImageModel, ModelConfig
from pixelbayes.training import train
from pixelbayes.training.material import grow, join_classes, relabel

OLD, NEW = Labels(("a", "b", "c")), Labels(("a", "b", "c", "d", "e"))


def model_of(classes: Labels, strategy: str, shape: ImageShape | None = None) -> AutoregressiveImageModel:
    parts = recipe()
    fusion = FusionConfig(strategy)
    shape = shape or ImageShape(1, 8, 8, 17)
    return AutoregressiveImageModel(
        ModelConfig(shape, parts.network, parts.distribution, fusion, classes.names)
    ).eval()


@pytest.mark.parametrize(
    "strategy", ["none", "mild", "strong", "film", "input", "embedding", "shared", "attention"]
)
def test_old_classes_keep_their_likelihoods_when_classes_are_added(strategy: str) -> None:
    torch.manual_seed(0)
    old, new = model_of(OLD, strategy), model_of(NEW, strategy)
    new.load_state_dict(grow(old.state_dict(), new.state_dict(), 3, 5))
    levels = torch.randint(0, 17, (3, 1, 8, 8), dtype=torch.uint8)
    assert torch.allclose(old.log_prob(levels, [0, 1, 2]), new.log_prob(levels, [0, 1, 2]), rtol=1e-4)


def test_new_classes_start_from_the_mean() -> None:
    old, new = model_of(OLD, "mild"), model_of(NEW, "mild")
    grown = grow(old.state_dict(), new.state_dict(), 3, 5)
    changed = [name for name, value in old.state_dict().items() if grown[name].shape != value.shape]
    assert changed
    for name in changed:
        mean = old.state_dict()[name].mean(1)
        assert torch.allclose(grown[name][:, 3], mean)
        assert torch.allclose(grown[name][:, 4], mean)


def test_another_network_is_refused() -> None:
    with pytest.raises(UserError, match="start from"):
        grow(model_of(OLD, "mild").state_dict(), model_of(OLD, "strong").state_dict(), 3, 3)


def test_classes_are_matched_by_name(digits: Dataset) -> None:
    joined, index = join_classes(Labels(("9", "0")), digits.classes)
    moved = relabel(digits, joined, index)
    names = [digits.classes[int(label)] for label in digits.train.labels]
    assert [joined[int(label)] for label in moved.train.labels] == names
    assert joined.names[:3] == ("9", "0", "1")


def test_numbers_are_indices_of_classes_that_have_names() -> None:
    joined, index = join_classes(Labels(("cat", "dog", "owl")), Labels(("0", "2")))
    assert (joined.names, index.tolist()) == (("cat", "dog", "owl"), [0, 2])
    joined, _ = join_classes(Labels(("cat", "dog")), Labels(("0", "2")))  # not its indices: other classes
    assert joined.names == ("cat", "dog", "0", "2")


def test_a_single_class_is_refused_with_what_to_do(digits: Dataset, tmp_path: Path) -> None:
    train(digits, recipe(0.2), tmp_path / "first")
    splits = {name: replace(images, classes=Labels(())) for name, images in digits.splits.items()}
    alone = replace(digits, classes=Labels(()), splits=splits)
    with pytest.raises(UserError, match="a single class counts as none"):
        train(alone, recipe(0.2), tmp_path / "second", start=tmp_path / "first")


def test_another_size_keeps_the_channels_and_levels_of_the_model(tmp_path: Path) -> None:
    draw = torch.Generator().manual_seed(0)
    colours = torch.randint(0, 17, (24, 3, 8, 8), dtype=torch.uint8, generator=draw)
    grey = torch.randint(0, 256, (24, 1, 12, 12), dtype=torch.uint8, generator=draw)
    small = {"filters": 4, "resnets": 1, "max_steps": 1, "device": "cpu"}
    pb.train(colours, ["a", "b"] * 12, out=tmp_path / "first", levels=17, **small)
    model = pb.train(
        grey,
        ["a", "b"] * 12,
        out=tmp_path / "second",
        start=tmp_path / "first",
        size=10,
        max_steps=1,
        device="cpu",
    )
    assert (model.shape.channels, model.shape.height, model.shape.levels) == (3, 10, 17)


def only(dataset: Dataset, classes: int) -> Dataset:
    """The images of the first classes alone."""
    labels = Labels(dataset.classes.names[:classes])
    splits = {}
    for name, images in dataset.splits.items():
        some = images[images.labels < classes]
        splits[name] = replace(some, classes=labels)
    return replace(dataset, splits=splits, classes=labels)


def test_fine_tuning_adds_classes_and_starts_from_the_weights(digits: Dataset, tmp_path: Path) -> None:
    first = train(only(digits, 6), recipe(2), tmp_path / "first")
    model = train(
        digits, recipe(1, learning_rate=1e-6), tmp_path / "second", start=tmp_path / "first", max_steps=1
    )
    assert model.classes == digits.classes
    images = only(digits, 6).train
    before, after = first.log_prob(images.levels, images.labels), model.log_prob(images.levels, images.labels)
    assert torch.allclose(before, after, rtol=1e-3)


def test_weights_to_start_from_are_not_initialised_again(digits: Dataset, tmp_path: Path) -> None:
    first = train(digits, recipe(0.2), tmp_path / "first")
    again = recipe(1, learning_rate=1e-9, init_data_dependent=True)
    model = train(digits, again, tmp_path / "second", start=tmp_path / "first", max_steps=1)
    levels, labels = digits.train.levels, digits.train.labels
    assert torch.allclose(first.log_prob(levels, labels), model.log_prob(levels, labels), rtol=1e-4)


def test_fine_tuning_at_another_size(digits: Dataset, tmp_path: Path) -> None:
    train(digits, recipe(0.2), tmp_path / "first")
    shape = replace(digits.shape, height=6, width=5)
    cut = {name: replace(s, levels=s.levels[:, :, :6, :5], shape=shape) for name, s in digits.splits.items()}
    model = train(
        replace(digits, splits=cut, shape=shape), recipe(0.2), tmp_path / "second", start=tmp_path / "first"
    )
    assert (model.shape.height, model.shape.width) == (6, 5)


def test_trained_on_validation_too_no_validation_figures_are_shown(
    digits: Dataset, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = train(digits, recipe(0.2, include_validation=True, focus=("2", "1")), out)
    training = model.record.training
    assert training.trained_on_validation
    assert training.validation is None
    assert training.images == 140
    assert model.calibration.temperature == 1.0
    assert "validation images too" in capsys.readouterr().out


def test_what_belongs_to_the_old_run_is_left_behind(tmp_path: Path) -> None:
    words = {"recipe": "digits", "filters": 2, "max_steps": 1, "device": "cpu"}
    fields = {"training.focus": ("1",), "training.include_validation": True, "data.split_seed": 3}
    pb.train("digits", out=tmp_path / "first", **words, **fields)
    second = pb.train("digits", out=tmp_path / "second", start=tmp_path / "first", max_steps=1, device="cpu")
    training = second.record.recipe["training"]
    assert not training.get("focus")
    assert not training.get("include_validation")


def held_out_of(folder: Path) -> set[str]:
    """The validation images of a run on the digits."""
    return set(held_out(pb.load(folder), split="validation").paths)


def test_on_the_same_data_the_same_images_stay_held_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {"max_steps": 1, "device": "cpu", "training.sample_every": 0.0}
    first = tmp_path / "first"
    pb.train("digits", out=first, recipe="digits", filters=2, **words, **{"data.folds": 5, "data.fold": 2})
    second = pb.train("digits", out=tmp_path / "second", start=first, **words)
    assert held_out_of(tmp_path / "second") == held_out_of(first)
    assert not second.record.training.trained_on_validation
    assert "flatter" not in capsys.readouterr().err
    third = pb.train("digits", out=tmp_path / "third", start=first, **words, **{"data.fold": 3})
    assert third.record.training.trained_on_validation
    assert "the validation figures flatter this run" in capsys.readouterr().err
    with pytest.raises(UserError, match="trained on its validation images"):
        held_out(third)


def test_a_model_trained_on_all_images_is_not_judged_by_them(tmp_path: Path) -> None:
    words = {"max_steps": 1, "device": "cpu", "training.sample_every": 0.0}
    fields = {"training.include_validation": True}
    first = pb.train("digits", out=tmp_path / "first", recipe="digits", filters=2, **words, **fields)
    second = pb.train("digits", out=tmp_path / "second", start=first, **words)
    assert second.record.training.trained_on_validation


def test_a_run_from_a_model_goes_on_with_images_of_its_size(tmp_path: Path) -> None:
    words = {"device": "cpu", "training.sample_every": 0.0}
    for name in "ab":
        (tmp_path / "large" / name).mkdir(parents=True)
        for row in range(12):
            Image.fromarray(np.full((20, 20), 9 * row, np.uint8)).save(
                tmp_path / "large" / name / f"{row}.png"
            )
    small = np.zeros((24, 6, 6), np.uint8)
    pb.train(small, list("ab") * 12, out=tmp_path / "first", recipe="digits", size=6, levels=256, filters=2,
             max_steps=1, **words)  # fmt: skip
    out = tmp_path / "second"
    pb.train(tmp_path / "large", out=out, start=tmp_path / "first", max_steps=1, **words)
    went_on = pb.train(tmp_path / "large", out=out, resume=True, max_steps=2, device="cpu")
    assert went_on.record.training.steps == 2
    assert went_on.shape.height == 6


def test_a_model_to_start_from_keeps_its_parts_but_for_the_dropout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {"max_steps": 1, "device": "cpu", "training.sample_every": 0.0}
    first = pb.train("digits", out=tmp_path / "first", recipe="digits", filters=2, **words)
    second = pb.train("digits", out=tmp_path / "second", start=first, dropout=0.25, **words)
    assert (second.config.network.filters, second.config.network.dropout) == (2, 0.25)
    assert pb.load_recipe(tmp_path / "second").network == second.config.network
    with pytest.raises(UserError, match="keeps its network"):
        pb.train("digits", out=tmp_path / "third", start=first, filters=3, **words)
    fourth = pb.train("digits", out=tmp_path / "fourth", start=first, recipe="digits", **words)
    assert "the recipe's is not taken" in capsys.readouterr().err
    assert pb.load_recipe(tmp_path / "fourth").network == fourth.config.network
    assert fourth.config.network.filters == 2


def test_classes_without_images_cannot_be_drawn_more_often(digits: Dataset, out: Path) -> None:
    lacking = only(digits, 6)
    with pytest.raises(UserError, match="no training images of the class 9"):
        train(replace(lacking, classes=digits.classes), recipe(0.2, focus=("9",)), out)


def test_code_that_a_model_names_is_not_run_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "others_code.py").write_text("raise SystemExit('it ran')")
    monkeypatch.syspath_prepend(tmp_path)
    first = pb.create("digits", filters=2)
    first.record.recipe["augment"] = {"custom": "others_code:f"}
    place = pb.save(first, tmp_path / "model")
    for chosen in ({"start": place}, {"recipe": place}):
        for named in ({}, {"network": {"dropout": 0.1}}):
            with pytest.raises(UserError, match="is code"):
                pb.train("digits", out=tmp_path / "second", max_steps=1, device="cpu", **chosen, **named)
        with pytest.raises(UserError, match="cannot be loaded"):  # asked for again, it is tried
            pb.train("digits", out=tmp_path / "third", max_steps=1, device="cpu", **chosen,
                     augment={"custom": "no_such_module:f"})  # fmt: skip
