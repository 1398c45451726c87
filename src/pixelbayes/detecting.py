"""`pb.detect` and its kin: foreign images, in any form, and a detector fitted on a model's own data."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from . import checkpoint
from .asking import names_files, prepared
from .data import Dataset, ImageSet, canonical, open_images
from .distributed import ALONE, Shard
from .errors import UserError
from .evaluating import held_out
from .inputs import as_levels, require_model
from .labels import Labels
from .measure.foreign import Separation, separation
from .model import AutoregressiveImageModel
from .tasks.detect import Detection, Detector, require_own, statistics_by_block
from .tasks.detect import fit_detector as fit_on_levels
from .tasks.detect import load_detector as load_for
from .tasks.detect.detection import joined


def fit_detector(
    model: AutoregressiveImageModel,
    data: Any = None,
    held_out: Any = None,
    *,
    background: AutoregressiveImageModel | str | Path | None = None,
    score: str = "dose",
    false_alarms: float = 0.05,
    images: int = 1000,
    seed: int = 0,
    root: str | None = None,
    skip_bad_images: bool = False,
    batch: int | None = None,
    progress: bool = False,
    shard: Shard = ALONE,
) -> Detector:
    """A detector of images that are foreign to `model`: statistics of training images, thresholds of held-out ones.

    data: known images, as levels `(n, C, H, W)`, an `ImageSet`, a `Dataset` or a word as on the command line; None:
    the data that the model was trained on. held_out: levels or an `ImageSet` for the thresholds; None: the validation
    images where the data have some, else every second one of the images. `images` is the most of each that is used.
    `background` is a model trained on perturbed images (`augment.mutate`). `detector` of the command line is
    `pb.save_detector(detector, folder)`. Raises UserError for too few images, or others than the model takes.

    Args:
        model: the model, of `pb.load`, `pb.train`, `pb.create` or `pb.adapt`.
        data: see above.
        held_out: see above.
        background: a model of the same images, perturbed.
        score: the one that decides: "together", or the name of a single one.
        false_alarms: the share of known images that may be called foreign.
        images: of each kind at most.
        seed: where the noise comes from; the same seed, the same result.
        root: the folder of a standard set's files.
        skip_bad_images: leave out files that are no readable images.
        batch: pairs of an image and a class that go through the network at once; None: so many that memory stays small.
        progress: show how far it is.
        shard: which part of several processes this one does; alone, all.

    Returns:
        A `Detector`, for `pb.detect` and `pb.save_detector`.

    Example:
        pb.save_detector(pb.fit_detector(model), "runs/photos-001")
    """
    require_model(model)
    if isinstance(background, str | Path):
        background = checkpoint.load(background, device=model.device)
    train, known = _known_images(model, data, held_out, root, skip_bad_images)
    return fit_on_levels(
        model, train, known, background=background, score=score, false_alarms=false_alarms,
        most=images, seed=seed, batch=batch, progress=progress, shard=shard,
    )  # fmt: skip


def load_detector(folder: str | Path, model: AutoregressiveImageModel | None = None) -> Detector:
    """The detector in a model's folder. Raises UserError where there is none, or it is of other weights.

    Args:
        folder: the model's.
        model: the model, whose weights the detector must be of; None: the one in the folder.

    Returns:
        A `Detector`.

    Example:
        pb.load_detector("runs/photos-001", model)
    """
    return load_for(folder, checkpoint.load(folder) if model is None else model)


def detect(
    model: AutoregressiveImageModel | str | Path,
    images: Any,
    detector: Detector | None = None,
    *,
    split: str | None = None,
    batch: int | None = None,
    progress: bool = False,
    shard: Shard = ALONE,
) -> Detection:
    """How foreign images are to a model, by several scores (higher: more foreign), and a verdict for each.

    model: a model, or its folder, whose own detector is then taken; images: an array or tensor, prepared as in the
    training; an `ImageSet`; a word or path as on the command line (their classes do not matter). Raises UserError for
    what does not fit, and where there is no detector.

    Args:
        model: the model, of `pb.load`, `pb.train`, `pb.create` or `pb.adapt`, or its folder.
        images: an array or tensor, prepared as in the training; an `ImageSet`; a word or path as on the command line.
        detector: of `fit_detector`; None: the one in the model's folder.
        split: of a data set: train, validation or test.
        batch: pairs of an image and a class that go through the network at once; None: so many that memory stays small.
        progress: show how far it is.
        shard: which part of several processes this one does; alone, all.

    Returns:
        A `Detection`: `.foreign`, a verdict for each image, and `.scores` `(n, scores)`.

    Example:
        pb.detect("runs/photos-001", "new/").foreign
    """
    if isinstance(model, str | Path):
        folder, model = model, checkpoint.load(model)
        detector = load_for(folder, model) if detector is None else detector
    require_model(model)
    if detector is None:
        raise UserError(
            "a detector is needed: pb.fit_detector(model), or pb.load_detector(folder) of an earlier one"
        )
    require_own(detector, model)
    levels = unlabelled(model, images, split, lazy=True).levels
    parts = statistics_by_block(model, levels, detector.instruments, batch, progress, shard)
    return joined([detector.judge(statistics) for _, statistics in parts])


def measure_foreign(
    model: AutoregressiveImageModel | str | Path,
    known: Any,
    foreign: Any,
    detector: Detector | None = None,
    *,
    batch: int | None = None,
    progress: bool = False,
) -> list[Separation]:
    """AUROC, AUPR and the false-alarm rate at 95 % found, of every score, between known images and foreign ones.

    Args:
        model: the model, of `pb.load`, `pb.train`, `pb.create` or `pb.adapt`, or its folder.
        known: an array or tensor, prepared as in the training; an `ImageSet`; a word or path as on the command line:
            those that the model should know.
        foreign: images of another kind, in any of these forms.
        detector: of `fit_detector`; None: the one in the model's folder.
        batch: pairs of an image and a class that go through the network at once; None: so many that memory stays small.
        progress: show how far it is.

    Returns:
        A `Separation` for each score: `.name`, `.auroc`, `.aupr`, `.fpr95`.

    Raises:
        UserError: for images that do not fit, and where there is no detector.

    Example:
        pb.measure_foreign(model, "digits", "textures/", detector)[0].auroc
    """
    if isinstance(model, str | Path):
        folder, model = model, checkpoint.load(model)
        detector = load_for(folder, model) if detector is None else detector
    answers = [detect(model, images, detector, batch=batch, progress=progress) for images in (known, foreign)]
    return separations(*answers)


def separations(known: Detection, foreign: Detection) -> list[Separation]:
    """One for each score."""
    return [separation(name, known[name], foreign[name]) for name in known.names]


def unlabelled(
    model: AutoregressiveImageModel,
    images: Any,
    split: str | None = None,
    skip_bad_images: bool = False,
    root: str | None = None,
    lazy: bool = False,
) -> ImageSet:
    """Images in any form as a set for the model; what their classes are called does not matter.

    `lazy`: many images are decoded when their levels are asked for, and not now."""
    if isinstance(images, ImageSet):
        image_set = images
    elif names_files(images):
        image_set = open_images(
            images, model.shape, model.record.data, Labels(()),
            split=split, skip_bad_images=skip_bad_images, root=root, lazy=lazy,
        )  # fmt: skip
    else:
        levels = as_levels(prepared(model, images)[0])
        model.check(levels)
        unknown = torch.full((len(levels),), -1)
        paths = [f"[{row}]" for row in range(len(levels))]
        image_set = ImageSet(levels, unknown, paths, Labels(()), model.shape)
    if not len(image_set):
        raise UserError("there are no images to judge")
    size, own = tuple(image_set.levels.shape[1:]), model.shape
    if size != (own.channels, own.height, own.width) or image_set.shape.levels != own.levels:
        raise UserError(f"the model takes images of {own}, not {image_set.shape}")
    return image_set


def _known_images(
    model: AutoregressiveImageModel, data: Any, held: Any, root: str | None, skip_bad_images: bool
) -> tuple[Tensor, Tensor]:
    """Levels to fit on, and levels for the threshold, of which none is among the first."""
    source = model.record.data.source or None
    if data is None and held is None:
        known = held_out(model, None, None, skip_bad_images, root).levels
        return unlabelled(model, source, "train", skip_bad_images, root).levels, known
    if isinstance(data, Dataset):
        held = data.validation if held is None else held
        data = data.train
    elif isinstance(data, str | Path) and canonical(data) == source and held is None:
        return _known_images(model, None, None, root, skip_bad_images)
    train = unlabelled(model, data if data is not None else source, None, skip_bad_images, root).levels
    if held is not None:
        return train, unlabelled(model, held, None, skip_bad_images, root).levels
    return train[::2], train[1::2]
