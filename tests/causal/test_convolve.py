"""The hand-made gradient of a causal convolution is the library's."""

import pytest
import torch
import torch.nn.functional as F

from pixelbayes.causal.convolve import convolve, padded


@pytest.fixture(params=["AVX2", "AVX512"])
def by_hand(request, monkeypatch):
    """As on either kind of processor, and for any size."""
    monkeypatch.setattr("pixelbayes.causal.convolve.LEAST_CELLS", 1)
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: request.param)


@pytest.mark.parametrize("reach", [(1, 1, 1), (1, 1, 0), (0, 2, 0), (2, 1, 1), (1, 0, 0), (0, 1, 1)])
@pytest.mark.parametrize("size", [(5, 4), (1, 1), (1, 6), (3, 1)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("channels_last", [True, False])
def test_value_and_gradients_are_those_of_the_library(reach, size, channels_last, stride, by_hand):
    torch.manual_seed(0)
    top, left, right = reach
    x = torch.randn(3, 4, *size, dtype=torch.float64)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    kernel = torch.randn(5, 4, top + 1, left + right + 1, dtype=torch.float64)
    inputs = [tensor.requires_grad_() for tensor in (x, kernel, torch.randn(5, dtype=torch.float64))]
    expected = F.conv2d(F.pad(x, (left, right, top, 0)), *inputs[1:], stride)
    got = convolve(*inputs, reach, stride)
    assert type(got.grad_fn).__name__ == "CausalConvolutionBackward"
    torch.testing.assert_close(got, expected)
    weights = torch.randn_like(expected)
    for mine, theirs in zip(
        torch.autograd.grad(got, inputs, weights), torch.autograd.grad(expected, inputs, weights), strict=True
    ):
        torch.testing.assert_close(mine, theirs)


def test_gradients_are_left_out_where_nobody_asks(by_hand):
    x, kernel = torch.randn(1, 2, 3, 3), torch.randn(2, 2, 2, 3, requires_grad=True)
    convolve(x, kernel, None, (1, 1, 1)).sum().backward()
    assert kernel.grad is not None
    assert x.grad is None


def test_autocast_keeps_the_gradients_of_float32_weights(by_hand):
    x = torch.randn(2, 3, 5, 4, requires_grad=True)
    kernel, bias = torch.randn(4, 3, 2, 2, requires_grad=True), torch.randn(4, requires_grad=True)
    expected = torch.autograd.grad(convolve(x, kernel, bias, (1, 1, 0)).sum(), [x, kernel, bias])
    with torch.autocast("cpu", torch.bfloat16):
        y = convolve(x, kernel, bias, (1, 1, 0))
    assert y.dtype == torch.bfloat16
    found = torch.autograd.grad(y.float().sum(), [x, kernel, bias])
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.dtype == torch.float32
        torch.testing.assert_close(mine, theirs, rtol=0.05, atol=0.2)


def test_strided_and_ungraded_convolutions_agree_with_the_library():
    x, kernel, bias = torch.randn(2, 3, 7, 6), torch.randn(4, 3, 2, 2), torch.randn(4)
    expected = F.conv2d(F.pad(x, (1, 0, 1, 0)), kernel, bias, 2)
    torch.testing.assert_close(convolve(x, kernel, bias, (1, 1, 0), stride=2), expected)
    with torch.no_grad():
        torch.testing.assert_close(convolve(x, kernel, bias, (1, 1, 0), stride=2), expected)


def test_padding_puts_zeros_around_and_keeps_channels_last():
    x = torch.randn(2, 3, 4, 5)
    room = padded(x, (1, 2, 3, 0))
    assert torch.equal(room, F.pad(x, (1, 2, 3, 0)))
    assert room.is_contiguous(memory_format=torch.channels_last)
