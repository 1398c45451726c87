"""The activation and the gate of the residual blocks on many cells, and their gradients, arranged for speed.

On a CPU the library's elu and sigmoid take as long as a convolution's tenth, because of its exponential; base
two is several times faster, and a concatenated elu needs one exponential for both of its halves:
with e = exp(-|x|) - 1, elu(x) = max(x, e) and elu(-x) = max(-x, e), since e lies above x where x < 0 and below
where x > 0. Both keep for their gradient only what their readers keep anyway. See `benchmarks/training.py`.
"""

from math import log
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

LEAST_NUMBERS = 32768  # below this many, the number of operations costs more than they gain
LOG2_E = 1 / log(2)


def concat_elu(x: Tensor) -> Tensor:
    """elu of x and of -x `(b, c, h, w)`, side by side: `(b, 2 c, h, w)`."""
    if not _by_hand(x):
        return F.elu_(torch.cat([x, -x], 1))
    return ConcatELU.apply(x) if torch.is_grad_enabled() and x.requires_grad else concat_elu_of(x)


def elu(x: Tensor) -> Tensor:
    """x where it is positive, else exp(x) - 1."""
    if not _by_hand(x) or (torch.is_grad_enabled() and x.requires_grad):
        return F.elu(x)
    e = exp_less_one(x)
    return torch.maximum(x, e, out=e)


def gate(h: Tensor, x: Tensor | None = None) -> Tensor:
    """a * sigmoid(b), where a and b are the halves of h `(b, 2 c, h, w)`; added to x if there is one."""
    if not _by_hand(h):
        return F.glu(h, 1) if x is None else x + F.glu(h, 1)
    return Gate.apply(h, x) if torch.is_grad_enabled() and h.requires_grad else gate_of(h, x)


def _by_hand(x: Tensor) -> bool:
    return x.numel() >= LEAST_NUMBERS and x.device.type == "cpu"


def exp_less_one(x: Tensor) -> Tensor:
    """exp(-|x|) - 1."""
    wide = x if x.dtype == torch.float64 else x.float()  # in bf16 nothing would be left of the difference
    return wide.abs().mul_(-LOG2_E).exp2_().sub_(1).to(x.dtype)


def concat_elu_of(x: Tensor) -> Tensor:
    e = exp_less_one(x)
    batch, channels, height, width = x.shape
    y = x.new_empty(batch, height, width, 2 * channels).permute(0, 3, 1, 2)
    torch.maximum(x, e, out=y[:, :channels])
    torch.maximum(x.neg(), e, out=y[:, channels:])
    return y


class ConcatELU(torch.autograd.Function):
    """concat_elu; the gradient reads its output, which the next convolution keeps as well."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = concat_elu_of(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        positive, negative = torch.addcmul(gradient, gradient, y.clamp(max=0)).chunk(2, 1)
        return positive - negative


def gate_of(h: Tensor, x: Tensor | None) -> Tensor:
    value, opening = h.chunk(2, 1)
    over = opening.mul(-LOG2_E).exp2_().add_(1)  # 1 / sigmoid
    return value / over if x is None else torch.addcdiv(x, value, over)


class Gate(torch.autograd.Function):
    """The gate; it keeps h alone."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, x: Tensor | None) -> Tensor:
        ctx.save_for_backward(h)
        return gate_of(h, x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        (h,) = ctx.saved_tensors
        value, opening = h.chunk(2, 1)
        if torch.is_grad_enabled():  # a second derivative is asked for
            open_ = opening.sigmoid()
            slopes = torch.cat([open_, value * open_ * (1 - open_)], 1)
            return slopes * gradient.repeat(1, 2, 1, 1), gradient if ctx.needs_input_grad[1] else None
        open_ = opening.mul(-LOG2_E).exp2_().add_(1).reciprocal_()
        of_h = torch.empty_like(h)
        of_value, of_opening = of_h.chunk(2, 1)
        torch.mul(gradient, open_, out=of_value)
        torch.addcmul(value, value, open_, value=-1, out=of_opening)
        of_opening.mul_(of_value)
        return of_h, gradient if ctx.needs_input_grad[1] else None
