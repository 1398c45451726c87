"""Fixtures of the training tests."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tests.training.small import SmallRecipe, small_digits

import pixelbayes as pb
from pixelbayes.data import Augment, AugmentConfig, Dataset
from pixelbayes.objectives import LikelihoodConfig
from pixelbayes.training import TrainingConfig
from pixelbayes.training.batches import Batches, ImageStore, Order


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return small_digits()


@pytest.fixture
def batches(digits: Dataset) -> Batches:
    """Eight of the digits a step, shifted at random."""
    levels, labels = digits.train.levels, digits.train.labels
    return Batches(
        fabric=SimpleNamespace(world_size=1, global_rank=0),
        store=ImageStore(levels, labels, torch.device("cpu")),
        order=Order(len(levels), 8, seed=0),
        seed=0,
        augment=Augment(AugmentConfig(shift=2), digits.shape),
        objective=LikelihoodConfig().build(pb.create("digits", filters=4)),
    )


@pytest.fixture
def recipe() -> SmallRecipe:
    return SmallRecipe(
        training=TrainingConfig(batch=8, epochs=2, sample_every=0, compile="off", precision="32-true")
    )


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run"
