"""What a recipe costs is counted, not computed."""

from pathlib import Path

import pytest

import pixelbayes as pb
from pixelbayes import cost
from pixelbayes.recipe import load_recipe, override


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
