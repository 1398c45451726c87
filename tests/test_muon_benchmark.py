"""`benchmarks.muon`: the optimiser is what it says."""

import pytest
import torch
from benchmarks.muon import muon, orthogonalised
from torch import nn

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
