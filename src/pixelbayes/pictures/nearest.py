"""Samples beside the training images that are most like them: are they copies?"""

from pathlib import Path

import torch
from torch import Tensor

from ..levels import ImageShape
from .sheets import sheet


def nearest_sheet(
    samples: Tensor, neighbours: Tensor, shape: ImageShape, path: str | Path, title: str = ""
) -> None:
    """Levels [N, C, H, W] and [N, k, C, H, W]: each row shows a sample and its nearest training images."""
    together = torch.cat([samples[:, None], neighbours], 1)
    sheet(together.flatten(0, 1), shape, path, title=title, columns=together.shape[1])
