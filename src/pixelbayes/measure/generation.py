"""Are samples like real images? Distances of their features, for all images and for each class."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ..data import ImageSet
from ..errors import UserError
from ..files import to_json, whole
from .features import Features
from .sample_distance import Distances, distances, nearest

HALVES_SEED = 20151205


@dataclass(frozen=True)
class Memorisation:
    """Distances to the nearest training image, in pixels (root mean square, share of the range): samples beside
    held-out images. Samples that lie much nearer than held-out images do are copies."""

    samples_median: float
    held_out_median: float
    nearer: float
    """The share of samples that lie nearer to a training image than 99 % of the held-out images do."""


@dataclass(frozen=True)
class GenerationQuality:
    """Samples against real images in the features `name`. `halves` is one random half of the real images against the
    other: what the same figures say where nothing differs (of half as many images, so its bias is larger)."""

    name: str
    dims: int
    overall: Distances
    halves: Distances
    by_class: dict[str, Distances] = field(default_factory=dict)
    memorisation: Memorisation | None = None
    arrays: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    """Features [N, D] and labels [N]: samples, real, sample_labels, real_labels."""

    def notes(self) -> list[str]:
        """What a reader of the figures should know, a line each."""
        lines, fewest = [], min(self.overall.samples, self.overall.real)
        if fewest <= self.dims:
            lines.append(
                f"{fewest:,} images are fewer than the {self.dims:,} features: "
                "the Frechet distance is mostly bias; KID has none"
            )
        if not self.name.startswith("FID"):
            lines.append(
                "no FID: these figures compare only where the same features and as many images were taken"
            )
        if self.memorisation and self.memorisation.nearer > 0.05:
            lines.append(
                f"{self.memorisation.nearer:.0%} of the samples lie nearer to a training image than 99 % of the "
                "held-out images do: look at nearest.png for copies"
            )
        return lines

    def as_dict(self) -> dict[str, Any]:
        """The numbers as plain data."""
        table = {
            "features": self.name,
            "dims": self.dims,
            "overall": _plain(self.overall),
            "real_half_from_other": _plain(self.halves),
            "by_class": {name: _plain(each) for name, each in self.by_class.items()},
            "memorisation": asdict(self.memorisation) if self.memorisation else None,
            "notes": self.notes(),
        }
        return table

    def to_json(self, path: str | Path | None = None) -> str:
        """The numbers as JSON, also written to `path` if given."""
        return to_json(self.as_dict(), path)

    def save_features(self, path: str | Path) -> None:
        """The features and labels as a NumPy file (.npz), for computations of your own."""
        with whole(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **self.arrays)  # type: ignore[arg-type]


def _plain(figures: Distances) -> dict[str, Any]:
    table = asdict(figures)
    for name in ("frechet", "kid"):
        estimate = getattr(figures, name)
        table[name] = estimate._asdict() if estimate else None
    return table


def compare_images(
    samples: Tensor, sample_labels: Tensor | None, real: ImageSet, features: Features, progress: bool = False
) -> GenerationQuality:
    """Samples (integer levels [N, C, H, W], labels [N] or None) against real images, all of one shape.

    Raises UserError where either has fewer than two images.
    """
    if min(len(samples), len(real)) < 2:
        raise UserError(
            f"at least two samples and two real images are needed, not {len(samples)} and {len(real)}"
        )
    of_samples, of_real = features(samples, progress), features(real.levels, progress)
    order = np.random.default_rng(HALVES_SEED).permutation(len(real))
    middle = len(real) // 2
    arrays = {"samples": of_samples, "real": of_real, "real_labels": real.labels.numpy()}
    by_class = {}
    if sample_labels is not None:
        arrays["sample_labels"] = sample_labels.numpy()
        for index, name in enumerate(real.classes):
            mine, theirs = arrays["sample_labels"] == index, arrays["real_labels"] == index
            if mine.any() and theirs.any():
                by_class[name] = distances(of_samples[mine], of_real[theirs])
    return GenerationQuality(
        features.name,
        features.dims,
        distances(of_samples, of_real),
        distances(of_real[order[:middle]], of_real[order[middle:]]),
        by_class,
        arrays=arrays,
    )


def pixels(levels: Tensor, count: int) -> np.ndarray:
    """Levels [N, C, H, W] -> float32 [N, C*H*W], whose distance is the root mean square, a share of the range."""
    flat = levels.flatten(1).float() / (count - 1)
    return (flat / flat.shape[1] ** 0.5).numpy()


def memorisation(samples: Tensor, held_out: Tensor, train: Tensor, count: int) -> Memorisation:
    """Are samples nearer to the training images than other real images are? All are levels [N, C, H, W] of `count`."""
    known = pixels(train, count)
    own, other = nearest(pixels(samples, count), known)[0], nearest(pixels(held_out, count), known)[0]
    bound = np.quantile(other, 0.01)
    return Memorisation(float(np.median(own)), float(np.median(other)), float((own < bound).mean()))
