"""How many levels a set of images really uses: black-and-white pictures kept as 0 and 255 have two of the 256."""

from dataclasses import dataclass

import numpy as np
import torch

from ..data import Dataset
from ..levels import from_values, to_values

MOST_LEVELS = 64
"""Sets of more levels are taken as they are: dark or flat pictures use few of their 256, too."""
CHUNK = 4096  # images looked at in one go


@dataclass(frozen=True)
class FewerLevels:
    """What was found, and why."""

    levels: int
    reason: str


def fewer_levels(dataset: Dataset, from_array: bool) -> FewerLevels | None:
    """The levels to take where only some of 256 occur; None where they are as many as they seem, or one alone occurs.

    Values spread evenly from black to white (0 and 255; 0, 85, 170 and 255) are so many levels, wherever they come
    from. Values from 0 to a small highest one (0 to 16) are levels themselves in an array, and dark pictures in files.
    """
    if dataset.shape.levels != 256:
        return None
    values = _occurring(dataset)
    if values is None or len(values) < 2:
        return None
    spread = next((count for count in range(2, MOST_LEVELS + 1) if _are_spread(values, count)), None)
    if spread is not None:
        told = "0 and 255" if spread == 2 else f"{len(values)} values, evenly spread from 0 to 255,"
        return FewerLevels(spread, f"levels: only {told} occur: {spread} levels instead of 256 (data.levels)")
    highest = int(values[-1])
    if from_array and highest < MOST_LEVELS:
        text = f"levels: the highest value of the arrays is {highest}: {highest + 1} levels instead of 256"
        return FewerLevels(highest + 1, f"{text} (set data.levels to 256 if 255 is white)")
    return None


def _are_spread(values: np.ndarray, count: int) -> bool:
    """Whether these values of 0..255 are `count` levels as files keep them, black and white among them."""
    ends = values[0] == 0 and values[-1] == 255
    return bool(ends and (to_values(from_values(values, count), count) == values).all())


def _occurring(dataset: Dataset) -> np.ndarray | None:
    """The values that occur, ascending; None where they are more than a few."""
    found = torch.zeros(256, dtype=torch.int64)
    for images in dataset.splits.values():
        for start in range(0, len(images), CHUNK):
            found += images.levels[start : start + CHUNK].flatten().long().bincount(minlength=256)
            if int((found > 0).sum()) > MOST_LEVELS:
                return None
    return found.nonzero().flatten().numpy()
