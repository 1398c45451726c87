"""Images with labels, also where they are too many to be copied, and the splits of a data set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor

from ..labels import UNKNOWN, Labels
from ..levels import ImageShape
from ..records import DataRecord

FINGERPRINT_IMAGES = 64  # whose pixels are read; the labels of all
IN_MEMORY = 1 << 30
"""Bytes up to which an array is read into memory; above, it stays a memory map."""
Allocate = Callable[[str, tuple[int, ...], np.dtype], np.ndarray]
"""Room for the levels of a split, of a shape and type."""


@dataclass
class ImageSet:
    """N images as integer levels.

    levels: `[N, C, H, W]`, uint8 (int32 above 256 levels), perhaps memory-mapped (`PickedLevels`); labels: int64 `[N]`,
    -1 where unknown; paths: where each image came from, in input order; notices: what the user should know.
    """

    levels: Tensor
    labels: Tensor
    paths: list[str]
    classes: Labels
    shape: ImageShape
    notices: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.levels)

    def __getitem__(self, index: "slice | Sequence[int] | np.ndarray | Tensor") -> "ImageSet":
        """Some of the images, as a set of its own; a boolean mask or indices."""
        if isinstance(index, slice):
            return replace(
                self, levels=self.levels[index], labels=self.labels[index], paths=self.paths[index]
            )
        rows = torch.as_tensor(index)
        rows = rows.nonzero().flatten() if rows.dtype == torch.bool else rows.reshape(-1).long()
        paths = [self.paths[row] for row in rows.tolist()]
        return replace(self, levels=self.levels[rows], labels=self.labels[rows], paths=paths)

    @property
    def known(self) -> Tensor:
        """Whether the class of each image is known, bool `[N]`."""
        return self.labels != UNKNOWN

    @property
    def labelled(self) -> "ImageSet":
        """The images whose class is known."""
        return self if bool(self.known.all()) else self[self.known]

    def counts(self) -> list[int]:
        """Images in each class (unknown ones are not counted)."""
        return torch.bincount(self.labels[self.known], minlength=len(self.classes)).tolist()

    def fingerprint(self) -> str:
        """A short text that other labels, another order or other images would change (some images are looked at)."""
        some = self.levels[:: max(1, len(self) // FINGERPRINT_IMAGES)].contiguous()
        parts = (
            str(tuple(self.levels.shape)).encode(),
            self.labels.numpy().tobytes(),
            some.numpy().tobytes(),
        )
        return blake2b(b"".join(parts), digest_size=8).hexdigest()


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


def pick(sets: Sequence[ImageSet], rows: Tensor, large_stay: bool = False) -> ImageSet:
    """Some images of sets that follow on each other, by their rows in all, as one set.

    `large_stay`: levels that do not fit into memory are not copied.
    """
    levels = PickedLevels([images.levels for images in sets], rows)
    paths = [path for images in sets for path in images.paths]
    return replace(
        sets[0],
        levels=levels if large_stay and levels.nbytes > IN_MEMORY else levels[:],  # type: ignore[arg-type]
        labels=torch.cat([images.labels for images in sets])[rows],
        paths=[paths[row] for row in rows.tolist()],
    )


def joined(sets: Sequence[ImageSet], labelled: bool) -> ImageSet:
    """Sets of like images as one, those of unknown class left out where `labelled`; large ones stay where they are."""
    known = torch.cat([images.known for images in sets])
    rows = (known if labelled else torch.ones_like(known)).nonzero().flatten()
    return sets[0] if len(sets) == 1 and len(rows) == len(known) else pick(sets, rows, large_stay=True)


@dataclass
class Dataset:
    """A data set ready for training.

    splits: 'train', and 'validation' and 'test' where they exist; preparation: what a model remembers
    of its data, enough to prepare new images in the same way; notices: one line each for the user.
    """

    name: str
    splits: dict[str, ImageSet]
    classes: Labels
    shape: ImageShape
    preparation: DataRecord = field(default_factory=DataRecord)
    notices: list[str] = field(default_factory=list)

    @property
    def train(self) -> ImageSet:
        return self.splits["train"]

    @property
    def validation(self) -> ImageSet | None:
        return self.splits.get("validation")

    @property
    def test(self) -> ImageSet | None:
        return self.splits.get("test")

    def fingerprint(self) -> str:
        """A short text by which other images, or the same ones divided otherwise, are known."""
        held = [self.validation.fingerprint()] if self.validation is not None else []
        return "-".join([self.train.fingerprint(), *held])

    def describe(self) -> list[str]:
        """Lines for the plan: images in each split and class, and what was done to them."""
        lines = []
        for name, images in self.splits.items():
            pairs = zip(self.classes, images.counts(), strict=True)
            counts = [f"{label} {count:,}" for label, count in pairs]
            unknown = int((~images.known).sum()) if len(self.classes) else 0
            if unknown:
                counts.append(f"unknown {unknown:,}")
            if len(counts) > 20:
                counts[20:] = [f"and {len(counts) - 20} more classes"]
            lines.append(f"{name}: {len(images):,} images" + (f" ({', '.join(counts)})" if counts else ""))
        return [*lines, f"images: {self.shape} (files: {self.preparation.original or 'unknown'})"]
