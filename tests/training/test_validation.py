"""Validation figures: what of, how often, and the right numbers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.run_small import recipe

from pixelbayes import measure, training
from pixelbayes.data import Dataset, ImageSet
from pixelbayes.distributed import launch
from pixelbayes.fusion import FusionConfig
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape
from pixelbayes.model import AutoregressiveImageModel, ModelConfig
from pixelbayes.training import train
from pixelbayes.training.pacing import FORWARD_COST, SHARE, steps_between
from pixelbayes.training.validation import fewer, fitted_bits, plan_validation, validate


def nothing() -> None:
    pass


@pytest.fixture
def model(digits: Dataset) -> AutoregressiveImageModel:
    parts = recipe()
    torch.manual_seed(0)
    config = ModelConfig(digits.shape, parts.network, parts.distribution, parts.fusion, digits.classes.names)
    return AutoregressiveImageModel(config).eval()


def test_the_figures_are_those_of_evaluate(digits: Dataset, model: AutoregressiveImageModel) -> None:
    held, fabric = digits.splits["validation"], launch(torch.device("cpu"), "32-true")
    plan = plan_validation(held, 10_000, seed=0)
    assert plan is not None
    assert plan.describe(10) == ""
    found, nats = validate(fabric, model, plan, nothing)
    expected = measure.evaluate_set(model, held, progress=False)
    assert found is not None
    assert found.bits_per_dim == pytest.approx(expected.bits_per_dim, rel=1e-5)
    assert found.accuracy == expected.accuracy
    assert nats.shape == (20, 10)


def test_with_few_classes_images_are_thinned_out_and_every_class_stays_a_candidate(digits: Dataset) -> None:
    some = plan_validation(replace(digits.train, classes=digits.classes), 400, seed=0)
    assert some is not None
    assert some.candidates is not None
    assert some.candidates.shape == (40, 10)
    assert some.describe(10) == "40 of 120 validation images"


def test_with_many_pairs_images_and_then_candidates_are_thinned_out_and_said(
    digits: Dataset, model: AutoregressiveImageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pixelbayes.training.validation.MANY_CLASSES", 5)
    some = plan_validation(replace(digits.train, classes=digits.classes), 400, seed=0)
    assert some is not None
    assert len(some.images) == 120
    assert some.candidates is not None
    assert some.candidates.shape == (120, 3)
    assert (some.candidates == some.images.labels[:, None]).sum(1).eq(1).all()
    assert all(len(set(row.tolist())) == 3 for row in some.candidates)
    assert "3 candidate classes of 10" in some.describe(10)
    figures, nats = validate(launch(torch.device("cpu"), "32-true"), model, some, nothing)
    assert (nats.isfinite().sum(1) == 3).all()
    assert figures is not None
    full = -model.log_prob(some.images.levels, some.images.labels).mean().item()
    assert figures.bits_per_dim == pytest.approx(full / (64 * torch.log(torch.tensor(2.0)).item()), rel=1e-5)


def test_bits_of_training_images_are_under_their_own_classes(
    digits: Dataset, model: AutoregressiveImageModel
) -> None:
    some = digits.train[:12]
    bits = fitted_bits(launch(torch.device("cpu"), "32-true"), model, some, nothing)
    assert bits == pytest.approx(
        measure.bits_per_dim(model.log_prob(some.levels, some.labels), digits.shape), rel=1e-5
    )


def test_weights_gone_astray_have_no_figures(digits: Dataset, model: AutoregressiveImageModel) -> None:
    with torch.no_grad():
        next(iter(model.parameters())).fill_(float("nan"))
    plan = plan_validation(digits.splits["validation"], 10_000, seed=0)
    assert plan is not None
    assert validate(launch(torch.device("cpu"), "32-true"), model, plan, nothing)[0] is None


def test_one_image_without_a_finite_likelihood_is_left_out_and_named(
    digits: Dataset, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = training.validation.score

    def first_lost(*given: Any) -> torch.Tensor:
        nats = real(*given).clone()
        if nats.shape[1] == 10:
            nats[0] = float("nan")
        return nats

    monkeypatch.setattr("pixelbayes.training.validation.score", first_lost)
    model = train(digits, recipe(1, learning_rate=1e-2), out, seed=0)
    assert model.record.training.step > 0  # the trained weights are kept
    assert model.record.training.calibrated
    told = capsys.readouterr().err
    assert told.count("left out of the figures") == 1
    assert digits.splits["validation"].paths[0] in told


@pytest.mark.parametrize(
    ("validation", "told"), [(True, "no validation was finite"), (False, "there is no validation set")]
)
def test_why_there_are_no_figures_is_said(
    digits: Dataset,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    validation: bool,
    told: str,
) -> None:
    monkeypatch.setattr("pixelbayes.training.assess.validate", lambda *given: (None, torch.zeros(0)))
    some = digits if validation else replace(digits, splits={"train": digits.train})
    model = train(some, recipe(), out, max_steps=1)
    assert not model.record.training.calibrated
    shown = capsys.readouterr()
    assert told in shown.out + shown.err


def test_validation_takes_a_tenth_of_the_time_at_most() -> None:
    assert steps_between(pairs=100, wanted=50, batch=16) == 50
    steps = steps_between(pairs=100_000, wanted=50, batch=16)
    validation, training = 100_000 * FORWARD_COST, steps * 16
    assert validation / (validation + training) == pytest.approx(SHARE, rel=1e-3)


def test_without_classes_there_are_likelihoods_only(
    digits: Dataset, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    none = Labels(())
    splits = {
        name: replace(s, classes=none, labels=torch.full_like(s.labels, -1))
        for name, s in digits.splits.items()
    }
    model = train(replace(digits, splits=splits, classes=none), recipe(0.5), out)
    figures = model.record.training.validation
    assert figures["validation_bits_per_dim"] > 0
    assert figures["validation_accuracy"] is None
    assert "label_rate changes nothing" in capsys.readouterr().err  # it has one, and nothing to use it on


def test_training_learns_and_the_best_weights_are_kept(digits: Dataset, out: Path) -> None:
    model = train(digits, recipe(5, learning_rate=1e-2, checkpoint_seconds=60.0), out, seed=0)
    figures = model.record.training.validation
    assert figures["validation_bits_per_dim"] < 3.0
    held = digits.splits["validation"]
    bits = measure.bits_per_dim(model.log_prob(held.levels, held.labels), digits.shape)
    assert bits == pytest.approx(figures["validation_bits_per_dim"], rel=1e-5)


def test_training_stops_when_nothing_gets_better(digits: Dataset, out: Path) -> None:
    tiny = replace(digits, splits={**digits.splits, "validation": digits.splits["validation"][:2]})
    parts = recipe(50, learning_rate=1e-12, patience=1, validate_every=0.1)
    training = train(tiny, parts, out).record.training
    assert training.stopped
    assert training.epochs < 50


def test_unknown_labels_are_never_trained_on(digits: Dataset, out: Path) -> None:
    labels = digits.train.labels.clone()
    labels[:100] = -1
    unknown = replace(digits, splits={**digits.splits, "train": replace(digits.train, labels=labels)})
    assert train(unknown, recipe(0.5), out).record.training.images == 20


def test_a_validation_that_the_clock_cannot_pay_is_thinned_and_says_so():
    levels = torch.zeros(1000, 1, 2, 2, dtype=torch.uint8)
    shape = ImageShape(1, 2, 2, 4)
    images = ImageSet(levels, torch.arange(1000) % 10, [""] * 1000, Labels(tuple("0123456789")), shape)
    plan = plan_validation(images, 40_000, seed=0)
    part = fewer(plan, 5_000, seed=0)
    assert part.pairs <= 5_000
    assert part.describe(10) == "500 of 1,000 validation images"
    assert fewer(plan, 10_000, seed=0) is plan
    assert torch.equal(part.images.labels, fewer(plan, 5_000, seed=0).images.labels)


def test_a_model_that_the_label_does_not_enter_is_not_calibrated(
    digits: Dataset, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    none = replace(recipe(), fusion=FusionConfig(strategy="none"))
    model = train(digits, none, out, max_steps=1)
    assert not model.record.training.calibrated
    shown = capsys.readouterr()
    assert "it cannot classify" in " ".join(shown.err.split())
    assert "calibrated" not in shown.out
