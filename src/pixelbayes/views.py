"""Views: an image mirrored, turned or transposed. Each is a bijection of the grid of pixels, so that the likelihood of
a view is a likelihood of the image as good as any, and the mean of the densities over views is a density again.

A network that is told the view beside the class learns several orders of the pixels at once: in some it sees what lies
below and to the right (Jun et al. 2020, "Distribution augmentation"; Jain et al. 2020, LMConv).
"""

from typing import Literal

import torch
from torch import Tensor

from .errors import UserError
from .levels import ImageShape
from .registry import Registry

Views = Literal["none", "mirror", "turns", "all"]

MIRRORED = 4
GROUPS: Registry[tuple[int, ...]] = Registry(
    "group of views",
    {"none": (0,), "mirror": (0, MIRRORED), "turns": tuple(range(4)), "all": tuple(range(8))},
)
"""A view is the number of its quarter turns, after a mirroring if 4 is in it; 0 is the upright one, always first."""


def check(group: str, shape: ImageShape) -> None:
    """Raises UserError for an unknown group, and for turns of images that are not square."""
    if any(view % 2 for view in GROUPS[group]) and shape.height != shape.width:
        raise UserError(
            f"the views '{group}' turn images, which must be square for it, not {shape}: say 'mirror'"
        )


def seen(grid: Tensor, view: int) -> Tensor:
    """Cells `(..., H, W)` under a view.

    >>> grid = torch.tensor([[1, 2], [3, 4]])
    >>> seen(grid, 1).tolist(), seen(grid, 4).tolist()
    ([[2, 4], [1, 3]], [[2, 1], [4, 3]])
    """
    upright = grid.flip(-1) if view & MIRRORED else grid
    return torch.rot90(upright, view % MIRRORED, (-2, -1)) if view % MIRRORED else upright


def index_in(group: str, view: int) -> int:
    """Which of a group's views this is; the upright one's index, 0, where the group does not have it.

    >>> index_in("mirror", 4), index_in("none", 4)
    (1, 0)
    """
    views = GROUPS[group]
    return views.index(view) if view in views else 0


def draw(levels: Tensor, group: str, generator: torch.Generator) -> Tensor:
    """The index of a view for each of `n` images `(n,)`, by chance."""
    drawn = torch.randint(len(GROUPS[group]), (len(levels),), generator=generator, device=generator.device)
    return drawn.to(levels.device)


def each_under(levels: Tensor, group: str, indices: Tensor) -> Tensor:
    """Images `(n, C, H, W)`, each under the view of its index `(n,)` in the group."""
    turned = [seen(levels, view) for view in GROUPS[group]]
    merged = turned[0].clone()
    for index, images in enumerate(turned[1:], 1):
        mine = (indices == index).to(levels.device)
        merged[mine] = images[mine]
    return merged
