"""`pb.measure_generation`: are the images that a model draws like real ones?"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .classifier import Classifier, FitConfig, classifier_beside
from .data import ImageSet
from .errors import UserError, check_whole
from .evaluating import held_out
from .inputs import as_indices, as_levels
from .labels import UNKNOWN, Labels
from .levels import ImageShape
from .measure.features import CNNFeatures, Features, inception_features
from .measure.generation import GenerationQuality, compare_images, memorisation, pixels
from .measure.sample_distance import nearest
from .model import AutoregressiveImageModel
from .pictures import nearest_sheet
from .progress import warn
from .tasks.generate import generate

MOST = 1_000
"""Samples that are drawn where the user does not say how many."""


def measure_generation(
    model_or_samples: Any,
    images: Any = None,
    *,
    labels: Any = None,
    sample_labels: Any = None,
    train: ImageSet | None = None,
    features: "str | Path | Classifier | Features | None" = None,
    inception: str | Path | None = None,
    dims: int = 2048,
    count: int | None = None,
    temperature: float = 1.0,
    seed: int = 0,
    batch: int = 64,
    fit: FitConfig | None = None,
    progress: bool = False,
) -> GenerationQuality:
    """Frechet distance, KID, precision and recall between samples and real images, for all and for each class.

    model_or_samples: a model, of which `count` images are drawn (as many as there are real ones, at most 1,000, with
    their classes), or samples: an `ImageSet`, or integer levels `(n, C, H, W)` with `sample_labels`. images: the real
    ones, an `ImageSet`, levels with `labels`, or None: those that the model's training held out.

    The features are those of a small CNN of the training images `train` (those of the model; the real images where
    there are none): trained for it, or read from `features`, a file where it is also kept, a `Classifier`, or a
    function of your own. With `inception`, a file of the published weights, they are Inception's 2,048, or with
    `dims` 192 the course's. Raises UserError for what does not fit.

    Args:
        model_or_samples: see above.
        images: see above.
        labels: of real images that are levels.
        sample_labels: of samples that are levels.
        train: the training images; None: those of the model.
        features: see above.
        inception: a file of Inception's published weights.
        dims: 2048 or 192 of Inception's features.
        count: samples that are drawn.
        temperature: at which they are drawn.
        seed: where the noise comes from; the same seed, the same result.
        batch: images that are drawn at once.
        fit: how the CNN is trained.
        progress: show how far it is.

    Returns:
        A `GenerationQuality`: `.overall`, `.halves` and `.by_class`, each with `.frechet`, `.kid`, ...

    Example:
        pb.measure_generation(model).overall.kid
    """
    check_whole("the count", count, least=2)
    model = model_or_samples if isinstance(model_or_samples, AutoregressiveImageModel) else None
    if model is None and isinstance(model_or_samples, str | Path):
        raise UserError(
            f"samples or a model are needed, not a path: load it with pb.load({str(model_or_samples)!r})"
        )
    real = _as_images(held_out(model) if images is None and model else images, labels, model, "real images")
    if model is not None:
        samples = draw_like(model, real, count, temperature, seed, batch, progress)
    else:
        samples = _as_images(model_or_samples, sample_labels, None, "samples")
    if samples.levels.shape[1:] != real.levels.shape[1:] or samples.shape.levels != real.shape.levels:
        raise UserError(f"samples ({samples.shape}) and real images ({real.shape}) must be of one shape")
    train = train if train is not None else _training_images(model)
    device = model.device if model is not None else torch.device("cpu")
    if inception is not None:
        look: Features = inception_features(inception, real.shape, dims, device)
    else:
        look = _own_features(features, real if train is None else train, fit, device, progress)
    known = bool(samples.known.any()) and len(real.classes)
    quality = compare_images(samples.levels, samples.labels if known else None, real, look, progress)
    if train is not None:
        own = memorisation(samples.levels, real.levels, train.levels, real.shape.levels)
        quality = replace(quality, memorisation=own)
    return quality


def draw_like(
    model: AutoregressiveImageModel,
    real: ImageSet,
    count: int | None = None,
    temperature: float = 1.0,
    seed: int = 0,
    batch: int = 64,
    progress: bool = False,
) -> ImageSet:
    """Samples of the classes of the real images, in their shares; of unknown classes, of the model's in turn."""
    total = min(len(real), MOST) if count is None else count
    words: dict[str, Any] = {"temperature": temperature, "seed": seed, "batch": batch, "progress": progress}
    if not model.classes:
        drawn, label = generate(model, count=total, **words), torch.full((total,), UNKNOWN)
    else:
        known = real.labels[real.known]
        order = torch.randperm(len(known), generator=torch.Generator().manual_seed(seed))
        shares = known[order].repeat(-(-total // max(1, len(known)))) if len(known) else torch.arange(total)
        label = shares[:total] % len(model.classes)
        drawn = generate(model, labels=label, **words)
    return ImageSet(drawn, label, [f"sample {row}" for row in range(total)], model.classes, model.shape)


def _training_images(model: AutoregressiveImageModel | None) -> ImageSet | None:
    """Those of the model, where they can still be had."""
    if model is None:
        return None
    try:
        return held_out(model, None, "train")
    except UserError as error:
        warn(f"the training images cannot be had, and the features are those of the real images ({error})")
        return None


def _own_features(
    given: Any, train: ImageSet, fit: FitConfig | None, device: torch.device, progress: bool
) -> Features:
    """What the caller gave, or a classifier of the training images."""
    if isinstance(given, Classifier):
        return CNNFeatures(given)
    if given is not None and not isinstance(given, str | Path):
        if not callable(given):
            raise UserError(f"features are a file, a classifier or a function of levels, not {given!r}")
        return given
    path = Path(given) if given is not None else None
    return CNNFeatures(classifier_beside(train, path, fit, device, progress))


def _as_images(given: Any, labels: Any, model: AutoregressiveImageModel | None, what: str) -> ImageSet:
    """Images in any form as a set; of bare levels, 256 of them, or as many as the model has."""
    if isinstance(given, ImageSet):
        return given
    if given is None:
        raise UserError(f"{what} are needed: an ImageSet, or integer levels (n, C, H, W)")
    levels = as_levels(given)
    if levels.dim() != 4 or levels.is_floating_point() or levels.shape[1] not in (1, 3):
        raise UserError(
            f"{what} must be integer levels (n, 1 or 3, height, width), not {tuple(levels.shape)}"
        )
    count = model.shape.levels if model is not None else 256
    if len(levels) and not 0 <= int(levels.min()) <= int(levels.max()) < count:
        raise UserError(f"the levels of {what} must lie in 0..{count - 1}: give an ImageSet for other levels")
    channels, height, width = levels.shape[1:]
    shape = ImageShape(channels, height, width, count)
    index = torch.full((len(levels),), UNKNOWN)
    names = model.classes if model is not None else Labels()
    if labels is not None:
        highest = int(torch.as_tensor(labels).max()) if not names and len(labels) else -1
        names = names or Labels(tuple(str(number) for number in range(highest + 1)))
        index = as_indices(labels, names).cpu()
    if index.shape != (len(levels),):
        raise UserError(f"{len(levels)} {what} need {len(levels)} labels, not {tuple(index.shape)}")
    return ImageSet(levels, index, [f"[{row}]" for row in range(len(levels))], names, shape)


def draw_nearest(samples: ImageSet, train: ImageSet, path: Path, rows: int = 12, neighbours: int = 4) -> None:
    """A picture: samples of all classes, each with the training images that are nearest in pixels."""
    chosen = torch.linspace(0, len(samples) - 1, min(rows, len(samples))).round().long()
    chosen = samples.labels.argsort(stable=True)[chosen]
    count = samples.shape.levels
    _, indices = nearest(pixels(samples.levels[chosen], count), pixels(train.levels, count), neighbours)
    beside: Tensor = train.levels[torch.from_numpy(indices).flatten()].unflatten(0, indices.shape)
    nearest_sheet(
        samples.levels[chosen],
        beside,
        samples.shape,
        path,
        "left: a sample; beside it: its nearest training images",
    )
