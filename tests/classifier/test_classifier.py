"""The dedicated classifier learns, is kept in a file, and learns turns where there are no classes."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import pixelbayes as pb
from pixelbayes.classifier import (
    FitConfig,
    ResidualNetwork,
    classifier_beside,
    fit_classifier,
    load_classifier,
)

SHORT = FitConfig(minutes=None, epochs=2.0, max_steps=12, batch=32)


@pytest.fixture(scope="module")
def digits() -> pb.Dataset:
    whole = pb.open_dataset("digits")
    return replace(whole, splits={"train": whole.train[:400], "validation": whole.splits["validation"][:100]})


def test_a_few_steps_are_better_than_chance_and_repeatable(digits: pb.Dataset) -> None:
    first = fit_classifier(digits.train, SHORT)
    again = fit_classifier(digits.train, SHORT)
    held = digits.splits["validation"]
    right = (first.logits(held.levels).argmax(1) == held.labels).double().mean()
    assert right > 0.4
    assert torch.equal(first.logits(held.levels[:5]), again.logits(held.levels[:5]))
    assert first.features(held.levels).shape == (100, first.dims)


def test_it_is_trained_once_for_the_same_images(
    digits: pb.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, quick = tmp_path / "features.safetensors", replace(SHORT, max_steps=1)
    first = classifier_beside(digits.train, file, quick)
    again = classifier_beside(digits.train, file, quick)
    assert "is taken" in capsys.readouterr().out
    levels = digits.train.levels[:7]
    assert torch.allclose(first.features(levels), again.features(levels), atol=1e-5)
    assert again.classes == digits.classes.names
    other = classifier_beside(digits.train[:300], file, quick)
    assert "other images" in capsys.readouterr().err
    assert load_classifier(file).data == other.data


def test_without_classes_it_learns_turns(digits: pb.Dataset) -> None:
    plain = replace(digits.train, classes=pb.Labels(), labels=torch.full((400,), -1))
    found = fit_classifier(plain, replace(SHORT, max_steps=2))
    assert found.classes == ()
    assert found.logits(plain.levels[:3]).shape == (3, 4)


@pytest.mark.parametrize("size", [(1, 1), (5, 9), (100, 120)])
def test_any_size_goes_through(size: tuple[int, int]) -> None:
    network = ResidualNetwork(3, 4, max(size)).eval()
    assert network(torch.zeros(2, 3, *size)).shape == (2, 4)


def test_a_foreign_file_is_refused(digits: pb.Dataset, tmp_path: Path) -> None:
    (tmp_path / "some.safetensors").write_bytes(b"nothing")
    with pytest.raises(pb.UserError, match="cannot be read"):
        classifier_beside(digits.train, tmp_path / "some.safetensors", SHORT)


@pytest.mark.parametrize("wrong", [{"minutes": 0.0}, {"epochs": -1.0}, {"max_steps": 0}])
def test_a_budget_of_nothing_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(pb.UserError):
        FitConfig(**wrong)  # type: ignore[arg-type]
