"""Causal attention (Chen et al. 2018, PixelSNAIL): each pixel attends to all pixels strictly before it."""

import torch.nn.functional as F
from torch import Tensor


def attend(query: Tensor, keys: Tensor, values: Tensor, visible: Tensor | None) -> Tensor:
    """Queries `(b, q, h, w)`, keys `(b, q, n)` and values `(b, v, n)` of the past -> `(b, v, h, w)`.

    `visible` `(h*w, n)` says which of the n each cell may see (None: all); a cell that sees nothing gets zero.
    """
    b, _, h, w = query.shape
    if keys.shape[2] == 0:
        return values.new_zeros(b, values.shape[1], h, w)
    q, k, v = (x.flatten(2).transpose(1, 2).unsqueeze(1) for x in (query, keys, values))
    if visible is None:
        mixed = F.scaled_dot_product_attention(q, k, v)
    else:
        # The library divides by zero where nothing is visible: such a cell looks at all and is then set to zero.
        sees = visible.any(1, keepdim=True)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=visible | ~sees) * sees
    return mixed.squeeze(1).transpose(1, 2).unflatten(2, (h, w))
