"""The hybrid objective: its value, its gradient, its schedule, and what it equals at weight zero."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import pixelbayes as pb
from pixelbayes.data import AugmentConfig
from pixelbayes.distributions import CONFIGS as DISTRIBUTIONS
from pixelbayes.errors import UserError
from pixelbayes.fusion import FusionConfig
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape
from pixelbayes.model import AutoregressiveImageModel, build
from pixelbayes.networks import CONFIGS as NETWORKS
from pixelbayes.objectives import Batch, HybridConfig, LikelihoodConfig, class_log_likelihoods

SHAPE = ImageShape(1, 5, 4, 6)


def tiny(
    network: str = "pixelcnn_pp", classes: tuple[str, ...] = ("a", "b", "c"), **settings: Any
) -> AutoregressiveImageModel:
    torch.manual_seed(0)
    parts = {"filters": 4, **({"resnets": 1, "scales": 1} if network == "pixelcnn_pp" else {}), **settings}
    config = NETWORKS[network](**parts)
    return build(
        SHAPE, Labels(classes), config, DISTRIBUTIONS["logistic_mixture"](mixtures=2), FusionConfig()
    )


def batch(images: int = 4, strong: bool = False) -> Batch:
    noise = torch.Generator().manual_seed(1)
    levels = torch.randint(6, (images, 1, 5, 4), generator=noise)
    copies = torch.randint(6, (images, 1, 5, 4), generator=noise) if strong else None
    return Batch(levels, torch.arange(images) % 3, copies)


@pytest.mark.parametrize("strong", [False, True])
def test_the_value_is_that_of_the_formula(strong: bool) -> None:
    model, given = tiny().eval(), batch(strong=strong)
    objective = HybridConfig(weight=0.3, temperature=7.0, label_smoothing=0.1).build(model)
    objective.begin(0.0)
    losses = objective(given)
    nll = -model.log_prob(given.levels, given.labels).float() / SHAPE.dims
    joint = model.log_joint(given.levels if given.strong is None else given.strong).float()
    logs = F.log_softmax(joint / 7.0, 1)
    assert given.labels is not None
    entropy = -(0.9 * logs.gather(1, given.labels[:, None])[:, 0] + 0.1 * logs.mean(1))
    assert torch.allclose(losses.total, nll + 0.3 * entropy, atol=1e-5)
    assert torch.allclose(losses.parts["likelihood"], nll, atol=1e-5)
    assert torch.allclose(losses.parts["cross_entropy"], entropy, atol=1e-5)
    assert losses.parts["temperature"].item() == pytest.approx(7.0)
    assert torch.equal(losses.parts["label_accuracy"], (joint.argmax(1) == given.labels).float())
    assert set(losses.parts) == set(objective.parts)


@pytest.mark.parametrize("strong", [False, True])
def test_the_gradient_is_that_of_finite_differences(strong: bool) -> None:
    model = tiny(dropout=0.0).double()
    objective = HybridConfig(weight=0.5, temperature=3.0).build(model).double()
    objective.begin(0.5)
    given = batch(strong=strong)

    def value() -> float:
        with torch.no_grad():
            return float(objective(given).total.mean())

    objective(given).total.mean().backward()
    for parameter in objective.parameters():
        assert parameter.grad is not None
        direction = torch.randn(
            parameter.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2)
        )
        expected = float((parameter.grad * direction).sum())
        with torch.no_grad():
            parameter += 1e-6 * direction
            above = value()
            parameter -= 2e-6 * direction
            below = value()
            parameter += 1e-6 * direction
        assert (above - below) / 2e-6 == pytest.approx(expected, rel=1e-4, abs=1e-8)


@pytest.mark.parametrize("network", ["pixelcnn_pp", "pixelcnn", "gated_pixelcnn", "pixelsnail"])
def test_class_log_likelihoods_are_those_of_each_class_with_gradients(network: str) -> None:
    model, levels = tiny(network).eval(), batch().levels
    found = class_log_likelihoods(model, levels)
    assert torch.allclose(found.double(), model.log_likelihoods(levels), atol=1e-3)
    found.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_dropout_is_no_evidence_for_a_class() -> None:
    network = NETWORKS["pixelcnn_pp"](resnets=1, scales=1, filters=4, dropout=0.5)
    model = build(
        SHAPE, Labels(("a", "b")), network, DISTRIBUTIONS["categorical"](), FusionConfig("none")
    ).train()
    found = class_log_likelihoods(model, batch().levels)
    assert torch.equal(found[:, 0], found[:, 1])  # a network that the label does not reach
    assert not torch.allclose(class_log_likelihoods(model, batch().levels), found)


def test_the_weight_follows_its_schedule() -> None:
    late = HybridConfig(weight=1.0, start=0.5)
    assert [late.weight_at(p) for p in (0.0, 0.49, 0.5, 1.0)] == [0.0, 0.0, 1.0, 1.0]
    ramped = HybridConfig(weight=1.0, ramp=0.5)
    assert [ramped.weight_at(p) for p in (0.0, 0.25, 0.5, 1.0)] == [0.0, 0.5, 1.0, 1.0]


def gradient(objective: Any, given: Batch) -> list[Tensor]:
    torch.manual_seed(5)
    objective.zero_grad()
    objective.begin(0.2)
    objective(given).total.mean().backward()
    return [*(p.grad.clone() for p in objective.model.parameters()), torch.rand(3)]


@pytest.mark.parametrize(
    "config",
    [
        HybridConfig(weight=0.0),
        HybridConfig(start=0.5),
        HybridConfig(augmented=True, start=0.5, strong=AugmentConfig(flip=True)),
    ],
)
def test_without_weight_it_is_the_likelihood_to_the_bit(config: HybridConfig) -> None:
    model = tiny(dropout=0.5).train()
    plain = gradient(LikelihoodConfig().build(model), batch())
    hybrid = config.build(model)
    assert all(torch.equal(a, b) for a, b in zip(plain, gradient(hybrid, batch()), strict=True))
    assert hybrid.strong is None
    assert len(hybrid.own_parameters()) == (config.weight > 0)


def test_strong_copies_are_asked_for_when_they_count() -> None:
    objective = HybridConfig(augmented=True, start=0.5, strong=AugmentConfig(crop=0.3)).build(tiny())
    objective.begin(0.4)
    assert objective.strong is None
    objective.begin(0.6)
    assert objective.strong is not None
    drawn = [objective.strong(batch().levels, torch.Generator().manual_seed(3)) for _ in range(2)]
    assert torch.equal(*drawn)
    assert not torch.equal(drawn[0], batch().levels)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UserError, match="two or more"):
        HybridConfig().build(tiny(classes=()))
    with pytest.raises(UserError, match="larger than the image"):
        HybridConfig(augmented=True, strong=AugmentConfig(mask=9)).build(tiny())
    for wrong in (
        {"weight": -1.0},
        {"weight": float("nan")},
        {"start": 2.0},
        {"temperature": 0.0},
        {"label_smoothing": 1.0},
    ):
        with pytest.raises(UserError):
            HybridConfig(**wrong)


def test_a_batch_is_split_with_all_that_belongs_to_it() -> None:
    whole = batch(5, strong=True)._replace(views=torch.arange(5))
    parts = whole.split(2)
    assert [len(part.levels) for part in parts] == [2, 2, 1]
    for name, value in whole._asdict().items():
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), value)
    assert replace(HybridConfig(), weight=1.0).weight == 1.0
    assert pb.register_objective is not None
