"""A causal convolution of a whole image, and its gradient, arranged for speed and memory.

Images lie channels last. For the gradient the features are kept as they are, not in a padded copy: others keep
them, too, so they cost nothing. On a CPU without AVX-512 the library's gradients of such convolutions run at half the
speed of a matrix product (see `benchmarks/training.py`), so there the gradient of the weights is taken as one product
for each tap of the kernel, and the gradient of the features as a convolution with the turned kernel.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

MOST_TAPS = 9  # beyond this many taps the single products are too thin to gain
LEAST_CELLS = 4096  # below this many cells the number of operations costs more than they gain

Margins = tuple[int, int, int, int]


def convolve(
    x: Tensor, kernel: Tensor, bias: Tensor | None, reach: tuple[int, int, int], stride: int = 1
) -> Tensor:
    """Features `(b, c, h, w)` -> the convolution whose kernel covers `reach` = (above, left, right)."""
    top, left, right = reach
    many = x.shape[0] * x.shape[2] * x.shape[3] >= LEAST_CELLS
    if not (many and x.device.type == "cpu" and torch.is_grad_enabled()):
        return F.conv2d(padded(x, (left, right, top, 0)), kernel, bias, stride)
    if torch.is_autocast_enabled("cpu"):  # the gradient, too, has to know the precision
        kind = torch.get_autocast_dtype("cpu")
        x, kernel, bias = x.to(kind), kernel.to(kind), bias if bias is None else bias.to(kind)
    return CausalConvolution.apply(x, kernel, bias, reach, stride)


def products_pay(kernel: Tensor, stride: int) -> bool:
    """Whether the gradients are quicker as matrix products than as the library takes them."""
    few = kernel.shape[2] * kernel.shape[3] <= MOST_TAPS
    old = torch.backends.cpu.get_cpu_capability() != "AVX512"
    return stride == 1 and few and old and kernel.dtype != torch.bfloat16


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
    """The convolution, which keeps its features without their padding."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, kernel: Tensor, bias: Tensor | None, reach: tuple[int, int, int], stride: int
    ) -> Tensor:
        top, left, right = reach
        ctx.save_for_backward(x, kernel)
        ctx.reach, ctx.stride, ctx.with_bias = reach, stride, bias is not None
        return F.conv2d(padded(x, (left, right, top, 0)), kernel, bias, stride)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, kernel = ctx.saved_tensors
        if torch.is_grad_enabled():  # a second derivative is asked for
            return *gradients_again(ctx, x, kernel, gradient), None, None
        top, left, right = ctx.reach
        seen = padded(x.detach(), (left, right, top, 0))
        take = gradients_by_products if products_pay(kernel, ctx.stride) else gradients_by_library
        return *take(ctx, seen, kernel, gradient), None, None


def gradients_again(
    ctx: Any, x: Tensor, kernel: Tensor, gradient: Tensor
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Of features, kernel and bias, in such a way that they can be differentiated once more."""
    top, left, right = ctx.reach
    output = F.conv2d(F.pad(x, (left, right, top, 0)), kernel, None, ctx.stride)
    needed = [index for index in (0, 1) if ctx.needs_input_grad[index]]
    taken = torch.autograd.grad(output, [(x, kernel)[index] for index in needed], gradient, create_graph=True)
    of = dict(zip(needed, taken, strict=True))
    return of.get(0), of.get(1), gradient.sum((0, 2, 3)) if ctx.with_bias else None


def gradients_by_library(
    ctx: Any, seen: Tensor, kernel: Tensor, gradient: Tensor
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Of features, kernel and bias, from the padded features and the gradient of the output."""
    top, left, right = ctx.reach
    of_seen, of_kernel, of_bias = torch.ops.aten.convolution_backward(
        gradient, seen, kernel, [len(kernel)] if ctx.with_bias else None,
        [ctx.stride] * 2, [0, 0], [1, 1], False, [0, 0], 1,
        [ctx.needs_input_grad[0], ctx.needs_input_grad[1], ctx.with_bias],
    )  # fmt: skip
    width = seen.shape[3] - left - right
    return None if of_seen is None else of_seen[:, :, top:, left : left + width], of_kernel, of_bias


def gradients_by_products(
    ctx: Any, seen: Tensor, kernel: Tensor, gradient: Tensor
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """The same, as a convolution with the turned kernel and a matrix product for each tap."""
    top, left, right = ctx.reach
    # One margin serves both: what the turned kernel reaches, on the grid of the padded features.
    room = padded(gradient, (right, left, 0, top))
    turned = kernel.flip(2, 3).transpose(0, 1)
    of_features = F.conv2d(room, turned) if ctx.needs_input_grad[0] else None
    cells = room.permute(0, 2, 3, 1).flatten(0, 2)
    of_kernel = weight_gradient(seen, cells, kernel, right) if ctx.needs_input_grad[1] else None
    return of_features, of_kernel, cells.sum(0) if ctx.with_bias else None


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
