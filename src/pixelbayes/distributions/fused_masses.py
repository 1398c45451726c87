"""log p of pixels under mixtures of discretised logistics where no gradient is asked for, arranged for speed on a CPU.

The definition is `logistic_mixture.log_mass`. Here a mass stays a fraction until the components are summed, so that a
pixel takes one logarithm and not one for each component and channel, and every exponential is to the base two, which
is several times quicker than the others. With x = (level - mean) / scale and h = 1 / (2 scale), a level within has

    sigmoid(x + h) sigmoid(h - x) (1 - exp(-2 h))
        = exp(-max(f, 0)) (1 - exp(-2 h)) / ((1 + exp(-|f|)) (1 + exp(-|x| - h)))

where f = |x| - h, and every factor but the first lies between 1e-9 and 1: that one is kept as a logarithm. The lowest
and the highest level have f = -x - h and f = x - h, and the first two factors alone.
"""

from collections.abc import Callable
from math import log, log2

import torch
from torch import Tensor

LEAST_NUMBERS = 4096  # below this many, the number of operations costs more than they gain
PIECE_NUMBERS = (
    2**17
)  # of a tensor of one number for each component and channel: some of them stay in the cache
LOG2_E = 1 / log(2)

LogProb = Callable[[Tensor, Tensor], Tensor]
"""Parameters and levels of a piece -> log p of its pixels."""


def worthwhile(parameters: Tensor) -> bool:
    """Whether the masses of these parameters are better taken here: without gradients, on a CPU, many of them."""
    graded = torch.is_grad_enabled() and parameters.requires_grad
    return parameters.device.type == "cpu" and parameters.numel() >= LEAST_NUMBERS and not graded


def in_pieces(parameters: Tensor, levels: Tensor, numbers: int, log_prob: LogProb) -> Tensor:
    """log p `(b, h, w)` of parameters `(b, P, h, w)` and levels `(b, C, h, w)`, in pieces that fit into the cache.

    `numbers`: how many a pixel has of what there is for each component and channel.
    """
    batch, _, height, width = parameters.shape
    rows = min(height, max(1, PIECE_NUMBERS // (width * numbers)))
    images = max(1, PIECE_NUMBERS // (rows * width * numbers)) if rows == height else 1
    log_probs = parameters.new_empty(batch, height, width)
    for first in range(0, batch, images):
        for top in range(0, height, rows):
            piece = (slice(first, first + images), slice(None), slice(top, top + rows))
            log_probs[piece[0], piece[2]] = log_prob(parameters[piece], levels[piece])
    return log_probs


def tanh(x: Tensor) -> Tensor:
    """tanh to an absolute precision of one rounding, for coefficients that are added to a mean."""
    return (x * (2 * LOG2_E)).exp2_().add_(1).reciprocal_().mul_(-2).add_(1)


def mixture_log_prob(logits: Tensor, mean: Tensor, log_scale: Tensor, level: Tensor, levels: int) -> Tensor:
    """log p `(b, G, h, w)` in nats.

    logits `(b, G, K, h, w)`, not normalised: G is 1 where a component has all channels, else the number C of channels.
    mean and log_scale (within its bounds) `(b, C, K, h, w)`, on the signal's axis; level `(b, C, 1, h, w)`, floating.
    """
    bottom, top = (level == 0).to(mean.dtype), (level == levels - 1).to(mean.dtype)
    edge = bottom + top
    # In bits from here on: x and minus h.
    sharp = (log_scale * -LOG2_E).add_(log2(LOG2_E)).exp2_()
    x = (level * (2 / (levels - 1)) - 1 - mean).mul_(sharp)
    minus_half = sharp.mul_(-1 / (levels - 1))
    away = torch.maximum(x * (1 - 2 * bottom), x.mul_(2 * top - 1))
    other = (minus_half - away).clamp_(max=0).exp2_().mul_(1 - edge)
    far = away.add_(minus_half)
    width = torch.addcmul(edge, minus_half.mul_(2 / LOG2_E).expm1_(), edge - 1)
    over = torch.abs(far, out=minus_half).neg_().exp2_().add_(1)
    share = width.div_(torch.addcmul(over, over, other, out=other))
    far.clamp_(min=0)
    if logits.shape[1] == 1:
        share, far = share.prod(1, keepdim=True), far.sum(1, keepdim=True)
    weights = (logits - logits.amax(2, keepdim=True)).mul_(LOG2_E)
    bits = log2_sum(weights - far, share).sub_(weights.exp2_().sum(2).log2_())
    return bits.mul_(1 / LOG2_E)


def log2_sum(exponents: Tensor, shares: Tensor) -> Tensor:
    """log2 sum of shares * 2^exponents over dimension 2, where the shares lie between 1e-30 and 1; used up."""
    most = exponents.amax(2, keepdim=True).clamp_(min=torch.finfo(exponents.dtype).min)
    parts = exponents.sub_(most).exp2_().mul_(shares)
    return parts.sum(2).log2_().add_(most.squeeze(2))
