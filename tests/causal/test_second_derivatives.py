"""The layers that are arranged for speed have second derivatives, too, and they are right."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from pixelbayes.causal import convolve, elementwise
from pixelbayes.causal.convolve import convolve as convolution
from pixelbayes.causal.elementwise import concat_elu, gate


@pytest.fixture(autouse=True)
def always_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolve, "LEAST_CELLS", 0)
    monkeypatch.setattr(elementwise, "LEAST_NUMBERS", 0)


def numbers(*size: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(size))
    return torch.randn(size, generator=generator, dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("with_bias", [True, False])
def test_of_a_convolution(stride: int, with_bias: bool) -> None:
    given = numbers(2, 2, 4, 4), numbers(3, 2, 2, 3), numbers(3) if with_bias else None

    def law(x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        return convolution(x, kernel, bias, (1, 1, 1), stride)

    assert gradcheck(law, given)
    assert gradgradcheck(law, given)


def test_of_the_activation_and_the_gate() -> None:
    for law, given in ((concat_elu, (numbers(1, 2, 2, 2),)), (gate, (numbers(1, 4, 2, 2),))):
        assert gradcheck(law, given)
        assert gradgradcheck(law, given)
    assert gradgradcheck(gate, (numbers(1, 4, 2, 2), numbers(1, 2, 2, 2)))


def test_of_a_sum_of_activations() -> None:
    """What is above is linear: nothing of the second derivative may get lost there."""
    x = numbers(1, 2, 2, 2)
    (first,) = torch.autograd.grad(concat_elu(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    torch.testing.assert_close(second, (-x.abs()).exp().detach())
