"""One step: accumulation, refusal of what is not finite, and groups of parameters."""

from collections.abc import Callable

import pytest
import torch
from tests.training.small import SmallRecipe

from pixelbayes.data import Dataset
from pixelbayes.distributed import launch
from pixelbayes.fusion import FusionConfig
from pixelbayes.model import AutoregressiveImageModel, ModelConfig
from pixelbayes.objectives import Batch, LikelihoodConfig
from pixelbayes.training.step import Stepper, make_optimiser, set_rate

Make = Callable[..., tuple[AutoregressiveImageModel, Stepper]]


@pytest.fixture
def make(recipe: SmallRecipe, digits: Dataset) -> Make:
    def made(
        accumulate: int = 1, clip: float = 0.0, strategy: str = "mild"
    ) -> tuple[AutoregressiveImageModel, Stepper]:
        torch.manual_seed(0)
        parts = recipe.still()
        config = ModelConfig(
            digits.shape, parts.network, parts.distribution, FusionConfig(strategy), digits.classes.names
        )
        model, fabric = AutoregressiveImageModel(config), launch(torch.device("cpu"), "32-true")
        objective, optimiser = (
            fabric.setup_module(LikelihoodConfig().build(model)),
            make_optimiser(model, recipe.training),
        )
        return model, Stepper(fabric, objective, optimiser, clip, accumulate)

    return made


def weights(model: AutoregressiveImageModel) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("accumulate", [3, 5, 13])
def test_accumulated_parts_equal_the_whole_batch(make: Make, digits: Dataset, accumulate: int) -> None:
    levels, labels = digits.train.levels[:13], digits.train.labels[:13]
    losses, gradients = [], []
    for parts in (1, accumulate):
        model, stepper = make(parts)
        losses.append(stepper.gradient(Batch(levels, labels), 13))
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
    assert torch.allclose(*losses, rtol=1e-5)
    assert torch.allclose(*gradients, atol=1e-6)


def test_the_loss_is_nats_a_dimension(make: Make, digits: Dataset) -> None:
    model, stepper = make()
    levels, labels = digits.train.levels[:6], digits.train.labels[:6]
    expected = -model.log_prob(levels, labels).mean() / digits.shape.dims
    loss, refused = stepper(Batch(levels, labels), 6)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert not refused


def test_a_step_with_a_non_finite_gradient_changes_nothing(make: Make, digits: Dataset) -> None:
    model, stepper = make(clip=1.0)
    levels, labels = digits.train.levels[:6], digits.train.labels[:6]
    stepper(Batch(levels, labels), 6)
    before = weights(model)
    moments = [value.clone() for state in stepper.optimiser.state.values() for value in state.values()]
    poisoned = next(parameter for parameter in model.parameters() if parameter.dim() == 4)
    handle = poisoned.register_hook(lambda gradient: gradient * float("nan"))
    _, refused = stepper(Batch(levels, labels), 6)
    assert refused
    assert torch.equal(weights(model), before)
    after = [value for state in stepper.optimiser.state.values() for value in state.values()]
    assert all(torch.equal(a, b) for a, b in zip(moments, after, strict=True))
    handle.remove()
    _, refused = stepper(Batch(levels, labels), 6)
    assert not refused
    assert not torch.equal(weights(model), before)


def test_clipping_bounds_the_gradient(make: Make, digits: Dataset) -> None:
    model, stepper = make(clip=1e-3)
    norms: list[float] = []
    step = stepper.optimiser.step

    def watched() -> None:
        norms.append(
            float(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).norm())
        )
        step()

    stepper.optimiser.step = watched  # type: ignore[method-assign,assignment]
    stepper(Batch(digits.train.levels[:6], digits.train.labels[:6]), 6)
    assert norms[0] == pytest.approx(1e-3, rel=1e-3)


def test_weight_decay_leaves_gains_and_biases_alone(make: Make, recipe: SmallRecipe) -> None:
    model, _ = make()
    optimiser = make_optimiser(model, recipe.but(weight_decay=0.1, optimiser="adamw").training)
    decayed = {id(p) for group in optimiser.param_groups if group["weight_decay"] for p in group["params"]}
    names = {name for name, parameter in model.named_parameters() if id(parameter) in decayed}
    assert names
    assert not [name for name in names if name.endswith(("gain", "bias"))]
    kernels = {name for name, _ in model.named_parameters() if name.endswith("weight")}
    assert kernels
    assert kernels <= names
    set_rate(optimiser, 0.5)
    assert {group["lr"] for group in optimiser.param_groups} == {0.5}


@pytest.mark.parametrize("strategy", ["mild", "attention", "downsampling", "shared"])
def test_the_label_has_a_rate_of_its_own(make: Make, recipe: SmallRecipe, strategy: str) -> None:
    model, _ = make(strategy=strategy)
    optimiser = make_optimiser(model, recipe.but(label_rate=10.0, weight_decay=0.1).training)
    set_rate(optimiser, 0.5)
    rates = {id(item): group["lr"] for group in optimiser.param_groups for item in group["params"]}
    assert set(rates) == {id(item) for item in model.parameters()}
    faster = {name for name, item in model.named_parameters() if rates[id(item)] == 5.0}
    assert faster
    assert set(rates.values()) == {0.5, 5.0}
    # What is faster is the label's alone: nothing else hears of it.
    with torch.no_grad():
        for name, item in model.named_parameters():
            if name in faster:
                item.zero_()
    levels = torch.zeros(1, model.shape.channels, model.shape.height, model.shape.width, dtype=torch.uint8)
    likelihoods = model.log_likelihoods(levels)
    assert likelihoods.allclose(likelihoods[:, :1])


@pytest.mark.parametrize("strategy", ["input", "none"])
def test_where_the_label_has_no_weights_of_its_own_its_rate_changes_nothing(
    make: Make, recipe: SmallRecipe, strategy: str
) -> None:
    model, _ = make(strategy=strategy)
    optimiser = make_optimiser(model, recipe.but(label_rate=10.0).training)
    set_rate(optimiser, 0.5)
    assert {group["lr"] for group in optimiser.param_groups} == {0.5}
