"""A collection as found -> a data set ready for training."""

from dataclasses import replace
from functools import partial

import numpy as np
import torch

from ..errors import UserError, some_of
from ..labels import Labels
from ..levels import ImageShape
from ..plain import to_plain
from ..records import DataRecord
from .collection import Collection, Part
from .config import DataConfig
from .decode_all import decode_all
from .held_out import Before, remember
from .image_set import Allocate, Dataset, ImageSet
from .preparation import Preparation, choose, original
from .raw import ArrayPictures, AsStated, BadImagesError, Facts
from .remarks import about_classes, about_kinds, about_range, about_same_images, about_size
from .splits import divide
from .words import class_names, indices

NOTHING = Before()


def in_memory(split: str, shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
    return np.empty(shape, kind)


def assemble(
    collection: Collection,
    config: DataConfig,
    shape: ImageShape | None = None,
    allocate: Allocate = in_memory,
    before: Before = NOTHING,
    to_train: bool = True,
) -> Dataset:
    """Divide, choose a preparation, decode; `before` is what a model to start from remembers of its images;
    without `to_train`, held-out images alone will do.

    Raises UserError for whatever the user has to mend.
    """
    if config.group_by is not None and all(part.groups is None for part in collection.parts):
        raise UserError(
            f"{collection.name} has nothing to be grouped by: leave out group_by '{config.group_by}'"
        )
    collection = replace(collection, splits=before.begun_with(collection.splits))
    collection = as_stated(_renamed(collection, config.class_names), config)
    classes = class_names(collection, config.class_names)
    parts, notices = divide(collection, classes, config, before.held_out, to_train)
    for part in collection.parts:
        indices(part, classes)  # a label outside the classes is found before hours of decoding
    facts = facts_of(collection)
    preparation = choose(facts, config, shape, collection.natural_size)
    remarks = [*about_kinds(facts, preparation), *about_size(facts, preparation)]
    splits: dict[str, ImageSet] = {}
    bad: list[tuple[str, str]] = []
    for split, part in parts.items():
        try:
            images, skipped = decode_part(part, classes, preparation, config.skip_bad_images, split, allocate)
        except BadImagesError as error:  # those of the other splits are named too
            bad += error.bad
            continue
        splits[split] = images
        if skipped:
            remarks.append(f"{len(skipped):,} unreadable {split} files are left out: {some_of(skipped, 5)}")
    if bad:
        raise BadImagesError(bad)
    splits, moved = before.keep_apart(splits)
    remarks += moved
    remarks += about_classes(splits["train"], collection.words) if "train" in splits else []
    remarks += [*about_same_images(splits), *about_range(splits, preparation)]
    record = DataRecord(
        **vars(preparation),
        config=to_plain(config),
        asked_shape=to_plain(shape) if shape else None,
        original=original(facts),
        file_channels=tuple(sorted({each.channels for each in facts})),
        class_names=classes.names,
        held_out={name: remember(images) for name, images in splits.items() if name != "train"},
    )
    notices = [*collection.notices, *notices, *remarks]
    return Dataset(collection.name, splits, classes, preparation.shape, record, notices)


def as_stated(collection: Collection, config: DataConfig) -> Collection:
    """The pictures of files, read as the user says (`white`, `pages`)."""

    def stated(part: Part) -> Part:
        if isinstance(part.pictures, ArrayPictures):
            return part
        return replace(part, pictures=AsStated(part.pictures, config.white, config.pages == "first"))

    return collection.each(stated)


def facts_of(collection: Collection) -> list[Facts]:
    """The headers of all pictures. Raises UserError where none can be read."""
    facts = [each for part in collection.parts for each in part.pictures.facts()]
    for part in collection.parts if not facts else []:
        decode_all(part.pictures, part.names, Preparation(1, 1, 1), skip_bad=False)
    if not facts:
        raise UserError("there are no images")
    return facts


def decode_part(
    part: Part,
    classes: Labels,
    preparation: Preparation,
    skip_bad: bool,
    split: str = "all",
    allocate: Allocate = in_memory,
    indices_allowed: bool = True,
) -> tuple[ImageSet, list[str]]:
    """One split as levels and labels, and the names of files that were left out."""
    what = "reading images" if split == "all" else f"reading {split} images"
    levels, rows, skipped = decode_all(
        part.pictures, part.names, preparation, skip_bad, partial(allocate, split), what
    )
    if not rows:
        raise UserError(f"none of the {len(part):,} {split} images can be read")
    labels = indices(part, classes, indices_allowed)[rows]
    names = part.names if len(rows) == len(part) else [part.names[row] for row in rows]
    images = ImageSet(torch.from_numpy(levels), torch.from_numpy(labels), names, classes, preparation.shape)
    return images, skipped


def _renamed(collection: Collection, declared: tuple[str, ...] | None) -> Collection:
    """The standard sets' classes under the names that the user gave."""
    if declared is None or collection.names is None or collection.indices_allowed:
        return collection
    if len(declared) != len(collection.names):
        count = len(collection.names)
        raise UserError(f"{collection.name} has {count} classes, but {len(declared)} class names are given")
    new = dict(zip(collection.names, declared, strict=True))
    renamed = collection.each(lambda part: replace(part, words=[new.get(word, word) for word in part.words]))
    return replace(renamed, names=declared)
