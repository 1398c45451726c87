"""A run that begins with images of half the size."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.training.run_small import recipe

import pixelbayes as pb
from pixelbayes.data import Dataset
from pixelbayes.errors import UserError
from pixelbayes.networks import CONFIGS
from pixelbayes.objectives import Batch, LikelihoodConfig
from pixelbayes.objectives.hybrid import HybridConfig
from pixelbayes.training import train
from pixelbayes.training.batches import Batches, halved


def test_four_pixels_become_their_mean() -> None:
    levels = torch.randint(0, 1000, (2, 3, 5, 6), dtype=torch.int32)
    small = halved(levels)
    assert (small.shape, small.dtype) == ((2, 3, 2, 3), torch.int32)
    four = levels[1, 2, 2:4, 4:6]
    assert abs(float(small[1, 2, 1, 2]) - float(four.double().mean())) <= 0.5
    assert torch.equal(halved(levels.repeat_interleave(2, 2).repeat_interleave(2, 3)), levels)


def test_images_are_whole_after_its_share_of_the_run(batches: Batches) -> None:
    objective = HybridConfig(augmented=True).build(batches.objective.model)
    batches = replace(batches, objective=objective, half_until=0.4)
    batches.objective.begin(0.39)
    early, late = batches.at(3, 0.39), batches.at(3, 0.4)
    assert late.dims == 64
    assert early.dims == 16
    for small, large in ((early.levels, late.levels), (early.strong, late.strong)):
        assert small is not None
        assert large is not None
        assert torch.equal(small, halved(large))
    assert early.labels is not None
    assert late.labels is not None
    assert torch.equal(early.labels, late.labels)


@pytest.mark.parametrize("name", ["pixelcnn", "gated_pixelcnn", "pixelcnn_pp", "pixelsnail"])
def test_the_loss_of_small_images_is_theirs_in_every_network(name: str) -> None:
    torch.manual_seed(0)
    base = pb.create("digits", filters=4).config
    parts = {"network": CONFIGS[name](), "fusion": replace(base.fusion, strategy="late")}
    model = pb.AutoregressiveImageModel(replace(base, **parts))
    small = torch.randint(0, 17, (2, 1, 4, 4), dtype=torch.uint8)
    labels = torch.tensor([3, 7])
    losses = LikelihoodConfig().build(model).eval()(Batch(small, labels))
    with torch.no_grad():
        assert torch.allclose(losses.total.double() * 16, -model.log_prob(small, labels).double(), rtol=1e-5)


def test_a_run_in_two_sittings_is_the_run_in_one(digits: Dataset, tmp_path: Path) -> None:
    begun = recipe().but(half_until=0.2, optimiser="muon")
    train(digits, begun, tmp_path / "one", seed=3, max_steps=9)
    for stop in (4, 9):
        train(digits, begun, tmp_path / "two", seed=3, max_steps=stop, resume=stop > 4)
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_images_too_small_to_halve(digits: Dataset, tmp_path: Path) -> None:
    small = pb.open_dataset("digits", pb.data.DataConfig(size=(7, 8)))
    with pytest.raises(UserError, match="half_until needs images of 8 pixels and more, not 1x7x8"):
        train(small, recipe().but(half_until=0.5), tmp_path / "run")
    with pytest.raises(UserError, match="half_until must lie between 0 and 1"):
        recipe().but(half_until=1.5)
