"""Muon: kernels move as it says, all else by Adam, nothing in a refused step, and a run that stopped goes on."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.training.run_small import recipe
from torch import nn
from torch.optim import Optimizer

from pixelbayes.data import Dataset
from pixelbayes.errors import UserError
from pixelbayes.fusion import label_parameters
from pixelbayes.model import AutoregressiveImageModel, ModelConfig
from pixelbayes.training import train
from pixelbayes.training.muon import Muon, orthogonalised
from pixelbayes.training.state_files import check_moments, list_states
from pixelbayes.training.step import make_optimiser, set_rate
from pixelbayes.training_config import TrainingConfig


def test_the_orthogonal_factor_of_a_matrix() -> None:
    matrix = torch.randn(5, 12, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    close = orthogonalised(matrix)
    assert torch.linalg.matrix_norm(close - left @ right, 2) < 0.35  # singular values lie around 1
    assert torch.allclose(orthogonalised(matrix.T), close.T, atol=1e-5)


def optimised(**settings: float) -> tuple[nn.Sequential, Muon]:
    """A small network with its gradient."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(12, 2))
    optimiser = make_optimiser(module, TrainingConfig(learning_rate=0.1, optimiser="muon", **settings))
    assert isinstance(optimiser, Muon)
    module(torch.randn(4, 2, 4, 4)).square().sum().backward()
    return module, optimiser


def small_model(digits: Dataset) -> AutoregressiveImageModel:
    parts = recipe()
    config = ModelConfig(digits.shape, parts.network, parts.distribution, parts.fusion, digits.classes.names)
    return AutoregressiveImageModel(config)


def numbered(optimiser: Optimizer) -> list[tuple[torch.Tensor, dict[str, Any]]]:
    """Each parameter with its group, in the order of a state's numbers."""
    return [(parameter, group) for group in optimiser.param_groups for parameter in group["params"]]


def values(module: nn.Module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


def test_all_weights_move_as_far_as_adam_would_move_them() -> None:
    module, optimiser = optimised()
    before = values(module)
    optimiser.step()
    for parameter, now, then in zip(module.parameters(), values(module), before, strict=True):
        distance = (now - then).square().mean().sqrt().item()
        assert distance == pytest.approx(0.02 if parameter.dim() > 1 else 0.1, rel=0.4)


def test_a_refused_step_changes_nothing_then_or_later() -> None:
    module, optimiser = optimised()
    before = values(module)
    sound = [parameter.grad.clone() for parameter in module.parameters() if parameter.grad is not None]
    for parameter in module.parameters():
        parameter.grad = torch.full_like(parameter, torch.nan)
    optimiser.found_inf = torch.ones(())
    optimiser.step()
    assert all(torch.equal(*pair) for pair in zip(before, values(module), strict=True))

    for parameter, gradient in zip(module.parameters(), sound, strict=True):
        parameter.grad = gradient
    optimiser.found_inf = torch.zeros(())
    optimiser.step()
    other, fresh = optimised()
    fresh.step()
    assert all(torch.equal(*pair) for pair in zip(values(other), values(module), strict=True))


def test_decay_is_decoupled_and_spares_gains_and_biases() -> None:
    (plain, one), (decayed, other) = optimised(), optimised(weight_decay=0.5)
    start = values(plain)
    one.step()
    other.step()
    for old, without, with_decay in zip(start, values(plain), values(decayed), strict=True):
        expected = without - (0.1 * 0.5 * old if old.dim() > 1 else 0.0)
        assert torch.allclose(with_decay, expected, atol=1e-6)


def test_the_label_stays_with_adam_at_its_own_rate(digits: Dataset) -> None:
    model = small_model(digits)
    optimiser = make_optimiser(model, TrainingConfig(optimiser="muon", label_rate=10.0))
    set_rate(optimiser, 0.5)
    labels = {id(parameter) for parameter in label_parameters(model)}
    assert labels
    there = [(id(parameter), group) for parameter, group in numbered(optimiser)]
    assert {number for number, _ in there} == {id(p) for p in model.parameters()}
    for number, group in there:
        assert group["lr"] == (5.0 if number in labels else 0.5)
        assert not (group["orthogonal"] and number in labels)
    assert any(group["orthogonal"] for _, group in there)


def test_a_run_that_stopped_goes_on_to_the_same_weights(tmp_path: Path, digits: Dataset) -> None:
    mine = recipe(1).but(optimiser="muon")
    train(digits, mine, tmp_path / "whole", seed=3, max_steps=4)
    train(digits, mine, tmp_path / "parts", seed=3, max_steps=2)
    train(digits, mine, tmp_path / "parts", resume=True, max_steps=4)
    one, other = (load_file(list_states(tmp_path / name)[-1]) for name in ("whole", "parts"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(name.endswith(".momentum") for name in one)
    with pytest.raises(UserError, match="begun with the optimiser muon"):
        train(digits, recipe(1), tmp_path / "parts", resume=True)


def test_moments_of_another_optimiser_are_refused(digits: Dataset) -> None:
    model = small_model(digits)
    config = TrainingConfig(optimiser="muon")
    kernel = next(
        number
        for number, (_, group) in enumerate(numbered(make_optimiser(model, config)))
        if group["orthogonal"]
    )
    shape = numbered(make_optimiser(model, config))[kernel][0].shape
    adam = {"step": torch.ones(()), "exp_avg": torch.zeros(shape), "exp_avg_sq": torch.zeros(shape)}
    with pytest.raises(UserError, match="another optimiser"):
        check_moments(make_optimiser(model, config), {kernel: adam}, 1)
    check_moments(
        make_optimiser(model, config), {kernel: {"step": torch.ones(()), "momentum": torch.zeros(shape)}}, 1
    )
