"""`benchmarks.contrastive`: the objective is what it says."""

from math import log

import pytest
import torch
from benchmarks.contrastive import ContrastiveConfig, contrast

import pixelbayes as pb
from pixelbayes.objectives import Batch


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
