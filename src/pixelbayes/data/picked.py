"""Some images of sets that are too large to be copied."""

from collections.abc import Sequence

import torch
from torch import Tensor

from . import cache
from .image_set import ImageSet


class PickedLevels:
    """Levels `[N, C, H, W]`: `rows` [N] of memory-mapped tensors, one after the other, read when they are indexed."""

    def __init__(self, parts: Sequence[Tensor], rows: Tensor):
        self.parts, self.rows = parts, rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> torch.Size:
        return torch.Size([len(self), *self.parts[0].shape[1:]])

    @property
    def nbytes(self) -> int:
        return len(self) * self.parts[0][:1].nbytes

    def __getitem__(self, index: "Tensor | slice") -> Tensor:
        rows = self.rows[index]
        levels = self.parts[0].new_empty(len(rows), *self.shape[1:])
        start = 0
        for part in self.parts:
            here = ((rows >= start) & (rows < start + len(part))).nonzero().flatten()
            levels[here] = part[rows[here] - start]
            start += len(part)
        return levels

    def to(self, device: torch.device) -> "PickedLevels | Tensor":
        """Themselves on a CPU, whose memory holds the map; a copy elsewhere."""
        return self if device.type == "cpu" else self[:].to(device)


def joined(sets: Sequence[ImageSet], labelled: bool) -> ImageSet:
    """Sets of like images as one, those of unknown class left out where `labelled`; large ones stay where they are."""
    first = sets[0]
    labels = torch.cat([images.labels for images in sets])
    rows = torch.arange(len(labels))
    if labelled:
        rows = torch.cat([images.known for images in sets]).nonzero().flatten()
    if len(sets) == 1 and len(rows) == len(labels):
        return first
    paths = [path for images in sets for path in images.paths]
    levels = PickedLevels([images.levels for images in sets], rows)
    return ImageSet(
        levels if levels.nbytes > cache.IN_MEMORY else levels[:],  # type: ignore[arg-type]
        labels[rows],
        [paths[row] for row in rows.tolist()],
        first.classes,
        first.shape,
        first.notices,
    )
