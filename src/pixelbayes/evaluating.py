"""`pb.evaluate`: a model measured on images in any form, and which images are held out."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from . import measure
from .asking import prepared
from .data import Dataset, ImageSet, canonical, default_split, open_images
from .data.held_out import the_split
from .distributed import ALONE, Shard
from .errors import UserError
from .inputs import LabelsLike, as_indices, as_levels, one_each, require_model
from .labels import UNKNOWN
from .model import AutoregressiveImageModel
from .progress import warn
from .views import Views


def held_out(
    model: AutoregressiveImageModel,
    data: str | Path | None = None,
    split: str | None = None,
    skip_bad_images: bool = False,
    root: str | None = None,
    *,
    label_column: str | None = None,
    path_column: str | None = None,
) -> ImageSet:
    """The images to evaluate a model on: those that it was not trained on, unless others are named.

    Without `split` it is the validation split where the data have one, else all of the images. `root` is the folder
    of a standard set's files, where it is not the one of the training; `label_column`, `path_column`: of a table.
    """
    record = model.record.data
    source = data if data is not None else record.source
    if not source:
        raise UserError("the model does not know which data it was trained on: name them with --data")
    if split is None:
        split = default_split(source, record, root)
        if model.record.training.trained_on_validation and canonical(source) == record.source:
            raise UserError(
                "the model was trained on its validation images too: name other images with --data, or --split test"
            )
    return open_images(
        source, model.shape, record, model.classes,
        split=split, skip_bad_images=skip_bad_images, root=root,
        label_column=label_column, path_column=path_column,
    )  # fmt: skip


def evaluate(
    model: AutoregressiveImageModel,
    images: Any = None,
    labels: LabelsLike | None = None,
    *,
    split: str | None = None,
    batch: int | None = None,
    progress: bool = True,
    shard: Shard = ALONE,
    views: Views = "none",
) -> measure.Metrics:
    """Measure likelihood and, where classes are known, classification on images in any form.

    images: an `ImageSet`; an array, prepared as in the training, with `labels` (names or numbers, see
    `Labels.index`; -1 where unknown); a torch `Dataset` or `DataLoader` of (image, label); a `Dataset`, of which
    the validation split is taken unless `split` names another; or a word or path as on the command line; None: the
    images that the training held out. Classes are matched by name. `batch` counts pairs of an image and a class that
    go through the network at once. With `shard`, several processes take some batches each. `views`: the mean of the
    densities over mirrored or turned images (`mirror`, `turns`, `all`).
    Raises UserError for what does not fit.

    Args:
        model: the model, of `pb.load`, `pb.train`, `pb.create` or `pb.adapt`.
        images: see above.
        labels: names or numbers, where `images` is an array.
        split: of a data set: train, validation or test.
        batch: pairs of an image and a class that go through the network at once; None: so many that memory stays small.
        progress: show how far it is.
        shard: which part of several processes this one does; alone, all.
        views: "mirror", "turns", "all": the mean of the densities over mirrored or turned images.

    Returns:
        `Metrics`: `.bits_per_dim`, `.accuracy`, `.intervals`, `.calibrated`, `.confusion`, ...

    >>> import numpy as np
    >>> from pixelbayes import create
    >>> evaluate(create("digits", filters=4), np.zeros((2, 1, 8, 8), np.uint8), [0, 1], progress=False).images
    2
    """
    chosen = images_for(model, images, labels, split, shard)
    return measure.evaluate_set(model, chosen, batch, progress, shard, views)


def images_for(
    model: AutoregressiveImageModel,
    images: Any = None,
    labels: LabelsLike | None = None,
    split: str | None = None,
    shard: Shard = ALONE,
    root: str | None = None,
) -> ImageSet:
    """What `evaluate` and `calibrate` take as images -> a set with labels as the model counts them; `root`: as in
    `held_out`."""
    require_model(model)
    if labels is not None and isinstance(images, ImageSet | Dataset | str | Path | None):
        raise UserError("labels go with arrays of images; a data set has its own")
    if split is not None and not isinstance(images, Dataset | str | Path | None):
        raise UserError(f"split '{split}' goes with a data set or its name, not with images")
    if root is not None and not isinstance(images, str | Path | None):
        raise UserError("root goes with the name of a standard set, not with images")
    if images is None or isinstance(images, str | Path):
        chosen = held_out(model, images, split, root=root)
        for notice in chosen.notices if shard.first else ():
            warn(notice)
    elif isinstance(images, Dataset):
        chosen = _split_of(images, split)
    else:
        chosen = images if isinstance(images, ImageSet) else _as_set(model, images, labels)
    return _fitting(model, chosen)


def _split_of(dataset: Dataset, split: str | None) -> ImageSet:
    """The split to evaluate on: validation, unless another is named."""
    if split is None and dataset.validation is None:
        raise UserError(f"{dataset.name} has no validation split: say split= ({', '.join(dataset.splits)})")
    return the_split(dataset, split or "validation")


def _as_set(model: AutoregressiveImageModel, images: Any, labels: LabelsLike | None) -> ImageSet:
    """Levels `(n, C, H, W)` and labels as a set of the model's classes."""
    array, own = prepared(model, images)
    levels = as_levels(array)
    model.check(levels)
    labels = own if labels is None else labels
    index = torch.full((len(levels),), UNKNOWN)
    if labels is not None and not model.classes and own is None:
        raise UserError("this model has no classes: it takes no labels")
    if labels is not None and model.classes:
        index = as_indices(one_each(labels), model.classes).cpu()
    if len(index) and int(index.min()) < UNKNOWN:
        raise UserError(
            f"label {int(index.min())} is outside the classes (accepted: from 0, or -1 for unknown)"
        )
    if index.shape != (len(levels),):
        raise UserError(f"{len(levels)} images need {len(levels)} labels, not {tuple(index.shape)}")
    return ImageSet(levels, index, [f"[{row}]" for row in range(len(levels))], model.classes, model.shape)


def _fitting(model: AutoregressiveImageModel, images: ImageSet) -> ImageSet:
    """The set with labels as the model counts them, matched by name; UserError where shape or classes differ."""
    size = tuple(images.levels.shape[1:])
    expected = (model.shape.channels, model.shape.height, model.shape.width)
    if size != expected or images.shape.levels != model.shape.levels:
        held = f"{'x'.join(map(str, size))}, {images.shape.levels} levels"
        raise UserError(f"the model takes images of {model.shape}, not {held}")
    if not model.classes:
        return images
    occurring = [index for index in images.labels.unique().tolist() if index >= 0]
    if occurring and occurring[-1] >= len(images.classes):
        raise UserError(f"label {occurring[-1]} is outside the {len(images.classes)} classes of the images")
    outside = [
        images.classes[index] for index in occurring if images.classes[index] not in model.classes.names
    ]
    if outside:
        known = ", ".join(model.classes.names[:20]) + (", ..." if len(model.classes) > 20 else "")
        raise UserError(f"{', '.join(outside[:5])} are outside the model's classes ({known})")
    index_of = {name: index for index, name in enumerate(model.classes)}
    table = torch.tensor([*(index_of.get(name, UNKNOWN) for name in images.classes), UNKNOWN])
    return replace(images, labels=table[images.labels.cpu().clamp(min=-1)], classes=model.classes)
