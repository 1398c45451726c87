"""Two patches of an image change places."""

import torch
from torch import Tensor


def swap_patches(levels: Tensor, side: int) -> Tensor:
    """`[B, C, H, W]` -> the same with two squares of a grid exchanged in each image, drawn from the global
    generator of the CPU (so the choice does not depend on the device)."""
    batch, _, height, width = levels.shape
    rows, columns = height // side, width // side
    cells = rows * columns
    if cells < 2:
        return levels
    first = torch.randint(cells, (batch,))
    second = (first + torch.randint(1, cells, (batch,))) % cells
    source = torch.arange(height * width).repeat(batch, 1)
    for cell, other in ((first, second), (second, first)):
        source.scatter_(1, _places(cell, columns, side, width), _places(other, columns, side, width))
    index = source.to(levels.device)[:, None].expand(-1, levels.shape[1], -1)
    return levels.flatten(2).gather(2, index).view_as(levels)


def _places(cell: Tensor, columns: int, side: int, width: int) -> Tensor:
    """Positions in raster order of a cell's pixels, `[B, side * side]`."""
    top, left = (cell // columns) * side, (cell % columns) * side
    offsets = (torch.arange(side)[:, None] * width + torch.arange(side)).flatten()
    return (top * width + left)[:, None] + offsets
