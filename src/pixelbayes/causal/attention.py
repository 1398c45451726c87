"""Causal attention (Chen et al. 2018, PixelSNAIL): each pixel attends to all pixels strictly before it."""

from torch import Tensor


def attend(query: Tensor, keys: Tensor, values: Tensor, visible: Tensor | None) -> Tensor:
    """Queries `(b, q, h, w)`, keys `(b, q, n)` and values `(b, v, n)` of the past -> `(b, v, h, w)`.

    `visible` `(h*w, n)` says which of the n each cell may see (None: all); a cell that sees nothing gets zero.
    """
    b, width, h, w = query.shape
    if keys.shape[2] == 0:
        return values.new_zeros(b, values.shape[1], h, w)
    scores = query.flatten(2).transpose(1, 2) @ keys / width**0.5
    if visible is not None:
        scores = scores.masked_fill(~visible, -1e9 if scores.dtype.itemsize > 2 else -3e4)
    weights = scores.softmax(2)
    if visible is not None:
        weights = weights * visible
    return (values @ weights.transpose(1, 2)).unflatten(2, (h, w))
