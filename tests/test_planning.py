"""The automatic plan."""

from dataclasses import replace
from math import log
from pathlib import Path

import pytest
import torch
from tests.training.small import small_digits

import pixelbayes as pb
from pixelbayes.data import Dataset, ImageSet
from pixelbayes.errors import UserError
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape
from pixelbayes.objectives import CONFIGS
from pixelbayes.planning import (
    HALF_UNTIL,
    DataFacts,
    choose_dropout,
    choose_half,
    choose_optimiser,
    choose_shift,
    choose_size,
    plan,
    work,
)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return small_digits()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run"


def made_up(counts: list[int], shape: ImageShape) -> Dataset:
    labels = torch.cat([torch.full([count], index) for index, count in enumerate(counts)])
    noise = torch.Generator().manual_seed(0)
    size = (len(labels), shape.channels, shape.height, shape.width)
    levels = torch.randint(0, shape.levels, size, generator=noise, dtype=torch.int64).to(shape.dtype)
    classes = Labels(tuple(f"class{index}" for index in range(len(counts))))
    images = ImageSet(levels, labels, [str(index) for index in range(len(labels))], classes, shape)
    return Dataset("made up", {"train": images, "validation": images[::4]}, classes, shape)


PHOTOS, DIGITS = ImageShape(3, 32, 32, 256), ImageShape(1, 8, 8, 17)


def test_without_minutes_the_plan_is_a_function_of_the_data(digits: Dataset) -> None:
    assert plan(digits, "cpu") == plan(digits, "cpu")


def test_a_busy_machine_is_named_where_its_speed_was_measured(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pixelbayes.planning.measure", lambda dataset, device: 1e9)
    for load, told in ((2.25, True), (0.1, False), (None, False)):
        monkeypatch.setattr("pixelbayes.planning.load_a_core", lambda load=load: load)
        (reason,) = [text for part, text in plan(digits, "cpu", 1.0).reasons if text.startswith("network:")]
        assert ("other work was going on" in reason) == told
        assert "other work" not in str(plan(digits, "cpu").reasons)


def test_photographs_are_mirrored_and_digits_are_not() -> None:
    assert plan(made_up([60, 60], PHOTOS), "cpu").augment.flip
    assert not plan(made_up([60, 60], DIGITS), "cpu").augment.flip


GREY = ImageShape(1, 28, 28, 256)


@pytest.mark.parametrize(
    ("shape", "counts", "objective", "strategy"),
    [
        (PHOTOS, [40, 40], "hybrid", "left"),
        (PHOTOS, [20] * 6, "hybrid", "left"),
        (PHOTOS, [10] * 10, "hybrid", "late"),
        (GREY, [10] * 10, "hybrid", "late_film"),
        (GREY, [4] * 10, "likelihood", "mild"),
        (GREY, [5] * 21, "likelihood", "mild"),
        (DIGITS, [60, 60], "likelihood", "mild"),
        (replace(GREY, levels=2), [60, 60], "likelihood", "mild"),
        (PHOTOS, [80], "likelihood", "mild"),
    ],
)
def test_labels_are_learned_for_themselves_where_they_are_worth_little_of_the_likelihood(
    shape: ImageShape, counts: list[int], objective: str, strategy: str
) -> None:
    chosen = plan(made_up(counts, shape), "cpu")
    assert CONFIGS.called(chosen.objective) == objective
    assert chosen.fusion.strategy == strategy
    assert any(part == "objective" for part, _ in chosen.reasons) == (objective == "hybrid")


def test_unbalanced_classes_are_balanced_and_it_is_said() -> None:
    chosen = plan(made_up([100, 20], DIGITS), "cpu")
    assert chosen.training.balanced
    assert any("unbalanced" in reason for _, reason in chosen.reasons)
    assert not plan(made_up([60, 50], DIGITS), "cpu").training.balanced


def test_more_time_allows_a_larger_network_and_few_images_forbid_it() -> None:
    many = DataFacts(images=20_000, pixels=1024, channels=3, levels=256, counts=())
    costs = [work(*choose_size(many, budget), 1024) for budget in (1e9, 1e12, 1e14)]
    assert costs == sorted(costs)
    assert costs[0] < costs[-1]
    few = replace(many, images=400)
    assert choose_size(few, 1e14)[1] < choose_size(many, 1e14)[1]


def test_dropout_grows_with_the_number_of_looks_at_an_image() -> None:
    rates = [choose_dropout(epochs) for epochs in (3, 20, 50, 100, 1000)]
    assert rates == sorted(rates)
    assert (rates[0], rates[-1]) == (0.0, 0.5)


def test_short_runs_are_left_to_adam(digits: Dataset) -> None:
    assert [choose_optimiser(steps) for steps in (50, 10_000)] == ["adam", "muon"]
    chosen = plan(digits, "cpu").training  # without minutes, as many epochs as it says
    steps = chosen.epochs * len(digits.train) / chosen.batch
    assert chosen.optimiser == choose_optimiser(steps)


def test_images_that_are_seen_about_once_are_small_at_first() -> None:
    pairs = [(0.3, 28 * 28), (1.9, 32 * 32), (2.0, 32 * 32), (0.3, 8 * 8)]
    assert [choose_half(*pair) for pair in pairs] == [HALF_UNTIL, HALF_UNTIL, 0.0, 0.0]


def test_images_that_are_seen_often_are_shifted_where_the_label_enters_late() -> None:
    assert (choose_shift(PHOTOS, 3), choose_shift(GREY, 30), choose_shift(PHOTOS, 30)) == (0, 2, 2)
    assert choose_shift(ImageShape(1, 1, 9), 30) == 0
    few = plan(made_up([10] * 10, GREY), "cpu")
    assert few.augment.shift == 2
    assert any("shifted by up to 2 pixels" in reason for _, reason in few.reasons)
    assert few.training.label_rate > 1
    for other in (made_up([30, 30], DIGITS), made_up([30, 30], PHOTOS), made_up([10] * 10, PHOTOS)):
        chosen = plan(other, "cpu")
        assert (chosen.augment.shift, chosen.training.label_rate) == (0, 1)


def test_a_set_without_known_classes_is_refused() -> None:
    dataset = made_up([4, 4], DIGITS)
    unknown = replace(dataset.train, labels=torch.full([8], -1))
    with pytest.raises(UserError, match="no training images"):
        plan(replace(dataset, splits={"train": unknown}), "cpu")


def test_minutes_are_a_budget_and_the_plan_is_printed(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = pb.train(made_up([30, 10], DIGITS), out=out, minutes=0.1, device="cpu")
    told = capsys.readouterr().out
    assert "images/s measured" in told
    assert "parameters" in told
    training = model.record.training
    assert training.minutes == 0.1
    assert training.finished
    assert (out / "samples.png").exists()


@pytest.mark.parametrize("size", [(8, 8), (4, 4), (1, 3)], ids=str)
def test_the_default_plan_does_not_diverge_on_small_images(size: tuple[int, int], out: Path) -> None:
    shape = ImageShape(3, *size, 256)
    model = pb.train(made_up([18, 18], shape), out=out, max_steps=6, device="cpu")
    images = made_up([18, 18], shape).train
    bits = -model.log_prob(images.levels, images.labels).mean() / shape.dims / log(2)
    assert bits < 1.5 * shape.uniform_bits
