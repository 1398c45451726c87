"""What a recipe costs is counted, not computed."""

from pathlib import Path

import pytest
import torch

import pixelbayes as pb
from pixelbayes import cost
from pixelbayes.recipe import load_recipe, override
from pixelbayes.speed import forward_flop


def test_parameters_are_those_of_the_model() -> None:
    recipe = override(load_recipe("digits"), {"network.filters": 8})
    model = pb.create(recipe)
    assert cost.cost(recipe).parameters == sum(parameter.numel() for parameter in model.parameters())


def test_the_arithmetic_grows_with_the_image() -> None:
    recipe = override(load_recipe("digits"), {"network.filters": 8})
    four_times = override(recipe, {"data.size": 16})
    assert cost.cost(four_times).flop == pytest.approx(4 * cost.cost(recipe).flop, rel=0.01)


def test_it_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXELBAYES_CACHE", str(tmp_path))
    recipe = override(load_recipe("digits"), {"network.filters": 4})
    found = cost.remembered_cost(recipe)
    monkeypatch.setattr(cost, "cost", lambda recipe: pytest.fail("counted twice"))
    assert cost.remembered_cost(recipe) == found


def test_the_arithmetic_of_a_batch_is_that_of_its_images() -> None:
    recipe = load_recipe("digits")
    levels, labels = torch.zeros(3, 1, 8, 8, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64)
    assert forward_flop(pb.create(recipe), levels, labels) == 3 * cost.cost(recipe).flop


class Average(torch.nn.Module):
    """The same logits everywhere, whatever the image."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(torch.zeros(4))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.logits[None, :, None, None].expand(len(image), 4, *image.shape[2:])


def test_a_network_that_does_not_read_the_image_is_counted_too() -> None:
    model = pb.adapt(Average(), "categorical", (1, 2, 3, 4))
    assert forward_flop(model, torch.zeros(2, 1, 2, 3, dtype=torch.uint8), None) == 0
