"""Images with labels, and the splits of a data set."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor

from ..labels import UNKNOWN, Labels
from ..levels import ImageShape
from ..records import DataRecord

FINGERPRINT_IMAGES = 64  # whose pixels are read; the labels of all


@dataclass
class ImageSet:
    """N images as integer levels.

    levels: `[N, C, H, W]`, uint8 (int32 above 256 levels), perhaps memory-mapped (see `picked`); labels: int64 `[N]`,
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
            rows = torch.arange(len(self))[index]
        else:
            rows = torch.as_tensor(index)
            rows = rows.nonzero().flatten() if rows.dtype == torch.bool else rows.reshape(-1).long()
        picked = self.levels[index] if isinstance(index, slice) else self.levels[rows]
        paths = [self.paths[int(row)] for row in rows]
        return ImageSet(picked, self.labels[rows], paths, self.classes, self.shape, self.notices)

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
        known = self.labels[self.labels != UNKNOWN]
        return torch.bincount(known, minlength=len(self.classes)).tolist()

    def fingerprint(self) -> str:
        """A short text that other labels, another order or other images would change (some images are looked at)."""
        some = self.levels[:: max(1, len(self) // FINGERPRINT_IMAGES)].contiguous()
        parts = (
            str(tuple(self.levels.shape)).encode(),
            self.labels.numpy().tobytes(),
            some.numpy().tobytes(),
        )
        return blake2b(b"".join(parts), digest_size=8).hexdigest()


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
            counts = [
                f"{label} {count:,}" for label, count in zip(self.classes, images.counts(), strict=True)
            ]
            unknown = int((images.labels == UNKNOWN).sum()) if len(self.classes) else 0
            if unknown:
                counts.append(f"unknown {unknown:,}")
            shown = counts if len(counts) <= 20 else [*counts[:20], f"and {len(counts) - 20} more classes"]
            lines.append(f"{name}: {len(images):,} images" + (f" ({', '.join(shown)})" if shown else ""))
        return [*lines, f"images: {self.shape} (files: {self.preparation.original or 'unknown'})"]
