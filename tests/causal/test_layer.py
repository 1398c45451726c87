"""A layer's parts are found without nn.Module's look-up, and stay the ones that it registered."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from pixelbayes.causal import Layer


class Double(Layer):
    def __init__(self) -> None:
        super().__init__()
        self.inside = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * self.inside(x)


class Triple(Double):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 3 * self.inside(x)


def test_calling_is_forward_also_in_a_subclass():
    x = torch.ones(1, 2)
    for kind, factor in ((Double, 2), (Triple, 3)):
        layer = kind()
        assert torch.equal(layer(x), factor * layer.inside(x))


def test_a_part_that_is_replaced_or_removed_is_not_remembered():
    layer = Double()
    layer.inside = other = nn.Linear(2, 2)
    assert layer.inside is other
    assert dict(layer.named_modules())["inside"] is other
    layer.inside = None
    assert layer.inside is None
    del layer.inside
    with pytest.raises(AttributeError):
        _ = layer.inside


def test_a_hook_is_refused_since_it_would_never_run():
    layer = Double()
    for register in (
        layer.register_forward_hook,
        layer.register_forward_pre_hook,
        layer.register_full_backward_hook,
    ):
        with pytest.raises(RuntimeError, match="called without hooks"):
            register(lambda *_: None)
    with pytest.raises(RuntimeError, match="called without hooks"):
        prune.l1_unstructured(Weighted(), "weight", 0.5)


class Weighted(Layer):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 2))


def test_a_copy_has_parts_of_its_own():
    layer = Double()
    copy = deepcopy(layer)
    assert copy.inside is not layer.inside
    assert copy.inside is dict(copy.named_modules())["inside"]
    layer.double()
    assert layer.inside.weight.dtype == torch.float64
    assert copy.inside.weight.dtype == torch.float32
