"""The hand-made activation and gate are the library's, and so are their gradients."""

import pytest
import torch
import torch.nn.functional as F

from pixelbayes.causal.elementwise import concat_elu, elu, gate


@pytest.fixture
def by_hand(monkeypatch):
    monkeypatch.setattr("pixelbayes.causal.elementwise.LEAST_NUMBERS", 1)


def features(*shape, channels_last=False):
    torch.manual_seed(0)
    x = 3 * torch.randn(shape, dtype=torch.float64)
    x.view(-1)[:2] = torch.tensor([0.0, -0.0])
    return (x.contiguous(memory_format=torch.channels_last) if channels_last else x).requires_grad_()


def library_concat_elu(x):
    return F.elu(torch.cat([x, -x], 1))


def agree(mine, theirs, inputs, name):
    torch.testing.assert_close(mine, theirs)
    assert type(mine.grad_fn).__name__ == name
    upstream = torch.randn_like(mine)
    for got, expected in zip(
        torch.autograd.grad(mine, inputs, upstream),
        torch.autograd.grad(theirs, inputs, upstream),
        strict=True,
    ):
        torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("channels_last", [True, False])
def test_concat_elu(channels_last, by_hand):
    x = features(2, 3, 5, 4, channels_last=channels_last)
    agree(concat_elu(x), library_concat_elu(x), [x], "ConcatELUBackward")
    with torch.no_grad():
        torch.testing.assert_close(concat_elu(x), library_concat_elu(x))


@pytest.mark.parametrize("channels_last", [True, False])
def test_elu(channels_last, by_hand):
    x = features(2, 3, 5, 4, channels_last=channels_last)
    with torch.no_grad():
        torch.testing.assert_close(elu(x), F.elu(x))
    assert elu(x).requires_grad


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("residual", [True, False])
def test_gate(channels_last, residual, by_hand):
    h = features(2, 6, 5, 4, channels_last=channels_last)
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64, requires_grad=True) if residual else None
    expected = F.glu(h, 1) if x is None else x + F.glu(h, 1)
    agree(gate(h, x), expected, [h] if x is None else [h, x], "GateBackward")
    with torch.no_grad():
        torch.testing.assert_close(gate(h, x), expected)


def test_extremes_stay_finite(by_hand):
    far = torch.tensor([3.0, -1e4, 1e4, 0.0, 1e4, -1e4, -500.0, 500.0]).view(1, 8, 1, 1).requires_grad_()
    opened = gate(far)
    opened.sum().backward()
    assert opened.isfinite().all()
    assert far.grad.isfinite().all()
    assert torch.equal(concat_elu(far.detach()), library_concat_elu(far.detach()))


def test_small_values_survive_bf16(by_hand):
    x = torch.tensor([0.01, -0.01, 0.002, -0.002]).view(1, 4, 1, 1).bfloat16()
    torch.testing.assert_close(concat_elu(x), library_concat_elu(x.float()).bfloat16())
