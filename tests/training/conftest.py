"""Fixtures of the training tests."""

from pathlib import Path

import pytest
from tests.training.small import SmallRecipe, small_digits

from pixelbayes.data import Dataset
from pixelbayes.training import TrainingConfig


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return small_digits()


@pytest.fixture
def recipe() -> SmallRecipe:
    return SmallRecipe(
        training=TrainingConfig(batch=8, epochs=2, sample_every=0, compile="off", precision="32-true")
    )


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run"
