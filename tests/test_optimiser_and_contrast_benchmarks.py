"""`benchmarks.muon` and `benchmarks.contrastive`: what they try is what they say."""

from math import log

import pytest
import torch
from benchmarks.contrastive import ContrastiveConfig, contrast
from benchmarks.muon import muon, orthogonalised
from torch import nn

import pixelbayes as pb
from pixelbayes.objectives import Batch
from pixelbayes.training_config import TrainingConfig


def test_the_orthogonal_factor_of_a_matrix() -> None:
    matrix = torch.randn(5, 12, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    close = orthogonalised(matrix)
    assert torch.linalg.matrix_norm(close - left @ right, 2) < 0.35  # singular values lie around 1
    assert torch.allclose(orthogonalised(matrix.T), close.T, atol=1e-5)


def test_muon_moves_all_weights_and_none_in_a_refused_step() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(12, 2))
    optimiser = muon(1.0)(module, TrainingConfig(learning_rate=0.1))
    module(torch.randn(4, 2, 4, 4)).square().sum().backward()
    before = [parameter.detach().clone() for parameter in module.parameters()]

    optimiser.found_inf = torch.ones(())  # type: ignore[attr-defined]
    optimiser.step()
    assert all(torch.equal(*pair) for pair in zip(before, module.parameters(), strict=True))
    optimiser.found_inf = torch.zeros(())  # type: ignore[attr-defined]
    optimiser.step()
    moved = [(now - then).abs() for now, then in zip(module.parameters(), before, strict=True)]
    assert all((distance > 0).any() for distance in moved)
    # As large as Adam's: a fifth of the rate in root mean square.
    kernel = moved[0].square().mean().sqrt().item()
    assert kernel == pytest.approx(0.2 * 0.1, rel=0.4)


def test_the_contrast_pulls_the_own_class_up_and_the_others_down() -> None:
    ratios = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 2])
    losses = contrast(ratios, labels, negative=0.5)
    assert losses.tolist() == pytest.approx([1.5 * log(2)] * 2)
    losses.sum().backward()
    assert ratios.grad is not None
    assert ratios.grad.tolist() == [[-0.5, 0.125, 0.125], [0.125, 0.125, -0.5]]


def test_the_reference_is_the_model_that_the_run_began_with() -> None:
    torch.manual_seed(0)
    model = pb.create("digits", filters=4)
    objective = ContrastiveConfig().build(model)
    batch = Batch(torch.randint(0, 17, (2, 1, 8, 8)), torch.tensor([3, 7]))
    model.eval()
    first = objective(batch)
    assert first.total.tolist() == pytest.approx([2 * log(2)] * 2, abs=1e-5)
    first.total.sum().backward()
    assert all(parameter.grad is None for parameter in objective.reference.parameters())
    assert not objective.own_parameters()
    assert any(name.startswith("reference.") for name in objective.own_state())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01)
    assert objective(batch).total.tolist() != pytest.approx([2 * log(2)] * 2, abs=1e-5)
