"""A training set that is memory-mapped stays so where some of it is left out or the validation images are added."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.training.run_small import recipe

import pixelbayes as pb
from pixelbayes.data import Dataset, image_set
from pixelbayes.data.image_set import PickedLevels, joined
from pixelbayes.training import train


@pytest.fixture
def half_labelled(digits: Dataset) -> Dataset:
    labels = digits.train.labels.clone()
    labels[::3] = -1
    return replace(digits, splits={**digits.splits, "train": replace(digits.train, labels=labels)})


def test_rows_of_several_parts_are_read_in_any_order() -> None:
    parts = [torch.arange(4).view(4, 1, 1, 1), torch.arange(4, 10).view(6, 1, 1, 1)]
    levels = PickedLevels(parts, torch.tensor([1, 3, 4, 9, 5]))
    assert levels[torch.tensor([4, 0, 3])].flatten().tolist() == [5, 1, 9]
    assert levels[1:4].flatten().tolist() == [3, 4, 9]
    assert (len(levels), levels.shape, levels.nbytes) == (5, (5, 1, 1, 1), 40)
    assert levels.to(torch.device("cpu")) is levels


def test_large_sets_are_not_copied(half_labelled: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    sets = [half_labelled.splits[name] for name in ("train", "validation")]
    copied = joined(sets, labelled=True)
    monkeypatch.setattr(image_set, "IN_MEMORY", 100)
    kept = joined(sets, labelled=True)
    assert isinstance(copied.levels, torch.Tensor)
    assert isinstance(kept.levels, PickedLevels)
    assert (kept.levels[:] == copied.levels).all()
    assert kept.paths == copied.paths
    assert (kept.labels == copied.labels).all()
    assert bool((kept.labels >= 0).all())
    assert joined(sets[1:], labelled=True) is sets[1]


def test_training_is_the_same_bit_for_bit(
    half_labelled: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = recipe(0.5, include_validation=True)
    weights = []
    for place, most in (("copied", 1 << 30), ("mapped", 100)):
        monkeypatch.setattr(image_set, "IN_MEMORY", most)
        train(half_labelled, parts, tmp_path / place, seed=3, device="cpu")
        weights.append(pb.load(tmp_path / place).state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
