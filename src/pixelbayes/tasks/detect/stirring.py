"""Stir an image: its patches change places, so that every small part is still there and the whole is not."""

import torch
from torch import Tensor

PATCHES = 4  # along the shorter side


def stirred(levels: Tensor, seed: int) -> Tensor:
    """Levels [N, C, H, W] with their patches in another order, the same for each image.

    What no whole patch covers stays where it is.

    >>> image = torch.arange(16).view(1, 1, 4, 4)
    >>> sorted(stirred(image, 0).flatten().tolist()) == list(range(16))
    True
    """
    height, width = levels.shape[-2:]
    side = max(1, min(height, width) // PATCHES)
    rows, columns = height // side, width // side
    order = _order(rows * columns, seed)
    inner = levels[..., : rows * side, : columns * side]
    patches = inner.unflatten(-1, (columns, side)).unflatten(-3, (rows, side)).transpose(-3, -2)
    moved = patches.flatten(-4, -3)[..., order, :, :].unflatten(-3, (rows, columns))
    result = levels.clone()
    result[..., : rows * side, : columns * side] = moved.transpose(-3, -2).flatten(-2).flatten(-3, -2)
    return result


def _order(count: int, seed: int) -> Tensor:
    """A permutation that leaves no patch in its place: a cycle through all of them in random order."""
    cycle = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    order = torch.empty(count, dtype=torch.long)
    order[cycle] = cycle.roll(1)
    return order
