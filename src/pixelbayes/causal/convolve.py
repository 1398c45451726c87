"""A causal convolution of a whole image, and its gradient, arranged for speed.

Images lie channels last. On a CPU without AVX-512 the library's gradients of such convolutions run at half the
speed of a matrix product (see `benchmarks/training.py`), so there the gradient of the weights is taken as one
product for each tap of the kernel, and the gradient of the features as a convolution with the turned kernel.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

MOST_TAPS = 9  # beyond this many taps the single products are too thin to gain
LEAST_CELLS = 4096  # below this many cells their number costs more than they gain

Margins = tuple[int, int, int, int]


def convolve(
    x: Tensor, kernel: Tensor, bias: Tensor | None, reach: tuple[int, int, int], stride: int = 1
) -> Tensor:
    """Features `(b, c, h, w)` -> the convolution whose kernel covers `reach` = (above, left, right)."""
    top, left, right = reach
    by_hand = (
        stride == 1
        and x.device.type == "cpu"
        and torch.backends.cpu.get_cpu_capability() != "AVX512"
        and torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and kernel.shape[2] * kernel.shape[3] <= MOST_TAPS
        and x.shape[0] * x.shape[2] * x.shape[3] >= LEAST_CELLS
    )
    if by_hand:
        return CausalConvolution.apply(x, kernel, bias, reach)
    return F.conv2d(padded(x, (left, right, top, 0)), kernel, bias, stride)


def padded(x: Tensor, margins: Margins) -> Tensor:
    """Features with zeros around them (left, right, above, below), channels last; `F.pad` where gradients flow."""
    if torch.is_grad_enabled() and x.requires_grad:
        return F.pad(x, margins)
    left, right, top, bottom = margins
    batch, channels, height, width = x.shape
    room = x.new_empty(batch, top + height + bottom, left + width + right, channels)
    room[:, :top], room[:, top + height :] = 0, 0
    middle = room[:, top : top + height]
    middle[:, :, :left], middle[:, :, left + width :] = 0, 0
    middle[:, :, left : left + width] = x.permute(0, 2, 3, 1)
    return room.permute(0, 3, 1, 2)


class CausalConvolution(torch.autograd.Function):
    """The convolution with stride 1; its gradients as matrix products and a convolution."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, kernel: Tensor, bias: Tensor | None, reach: tuple[int, int, int]
    ) -> Tensor:
        top, left, right = reach
        # The features are kept, not their padded copy: others keep them, too, so they cost nothing.
        ctx.save_for_backward(x, kernel)
        ctx.reach, ctx.with_bias = reach, bias is not None
        return F.conv2d(padded(x, (left, right, top, 0)), kernel, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, kernel = ctx.saved_tensors
        top, left, right = ctx.reach
        # One margin serves both: what the turned kernel reaches, on the grid of the padded features.
        room = padded(gradient, (right, left, 0, top))
        turned = kernel.flip(2, 3).transpose(0, 1)
        of_features = F.conv2d(room, turned) if ctx.needs_input_grad[0] else None
        cells = room.permute(0, 2, 3, 1).flatten(0, 2)
        seen = padded(x.detach(), (left, right, top, 0))
        of_kernel = weight_gradient(seen, cells, kernel, right) if ctx.needs_input_grad[1] else None
        of_bias = cells.sum(0) if ctx.with_bias else None
        return of_features, of_kernel, of_bias, None


def weight_gradient(seen: Tensor, cells: Tensor, kernel: Tensor, shift: int) -> Tensor:
    """For each tap, the product of the padded features and the gradient, both as lists of cells.

    The gradient lies `shift` columns to the right of the features that its first tap saw.
    """
    count, row = len(cells), seen.shape[3]
    features = seen.permute(0, 2, 3, 1).flatten(0, 2)
    taps = []
    for i in range(kernel.shape[2]):
        for j in range(kernel.shape[3]):
            ahead = i * row + j - shift
            first, last = max(ahead, 0), count + min(ahead, 0)
            taps.append(features[first:last].t() @ cells[first - ahead : last - ahead])
    return torch.stack(taps).view(*kernel.shape[2:], *kernel.shape[1::-1]).permute(3, 2, 0, 1)
