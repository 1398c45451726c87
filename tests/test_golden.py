"""A model and a run that earlier code wrote (commit 49d6040): loaded, resumed, and equal to what they were there.

`golden/run` is a run of 12 steps on the bundled digits; `golden/expected.json` holds the likelihoods of its model and
the journal and likelihoods after 12 more steps, as the code of then found them.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import pixelbayes as pb
from pixelbayes.journals import read_rows
from pixelbayes.runs import find_models, find_runs

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def expected() -> Any:
    return json.loads((GOLDEN / "expected.json").read_text())


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN / "run", tmp_path / "run"))


def likelihoods(model: pb.AutoregressiveImageModel) -> torch.Tensor:
    return model.log_likelihoods(pb.open_dataset("digits").splits["test"].levels[:5])


def test_an_earlier_model_has_its_likelihoods(run: Path, expected: Any) -> None:
    found = likelihoods(pb.load(run))
    assert torch.allclose(found, torch.tensor(expected["log_likelihoods"], dtype=torch.float64), atol=2e-3)


def test_an_earlier_run_goes_on_as_it_would_have(run: Path, expected: Any) -> None:
    model = pb.train("digits", out=run, max_steps=24, seed=3, device="cpu", resume=True)
    rows = read_rows(run / "journal.csv")
    assert len(rows) == len(expected["journal"])
    for row, before in zip(rows, expected["journal"], strict=True):
        for name, value in before.items():
            if value:  # an asked-for validate_every is kept to by now, which adds validations
                assert float(row[name]) == pytest.approx(float(value), rel=1e-3), (row, name)
    found = likelihoods(model)
    assert torch.allclose(found, torch.tensor(expected["resumed"], dtype=torch.float64), atol=0.1)


def test_an_earlier_run_is_listed(run: Path) -> None:
    (listed,) = find_runs(run.parent)
    assert not listed.broken
    assert (listed.data, listed.steps) == ("digits", 12)
    assert listed.bits_per_dim == pytest.approx(2.88601)
    (model,) = find_models(run.parent)
    assert not model.broken


def test_an_earlier_model_is_evaluated_on_its_own_data(run: Path) -> None:
    assert pb.evaluate(pb.load(run)).images == 144


def test_an_earlier_model_is_trained_on(run: Path, tmp_path: Path) -> None:
    model = pb.train("digits", start=run, out=tmp_path / "more", max_steps=1, device="cpu")
    assert model.record.training.step == 1
    assert model.record.training.config["learning_rate"] < 0.01
