"""A collection as found -> a data set ready for training."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from ..errors import UserError
from ..labels import Labels
from ..levels import ImageShape
from ..plain import to_plain
from ..records import DataRecord
from .choice import choose, original
from .collection import Collection, Part
from .config import DataConfig
from .decode_all import decode_all
from .held_out import Before, remember
from .image_set import Dataset, ImageSet
from .labelling import class_names, indices
from .preparation import Preparation
from .raw import ArrayPictures, AsStated, BadImagesError, Facts
from .remarks import about_classes, about_range, about_same_images
from .splits import divide

AllocateSplit = Callable[[str, tuple[int, ...], np.dtype], np.ndarray]


NOTHING = Before()


def _in_memory(split: str, shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
    return np.empty(shape, kind)


def assemble(
    collection: Collection,
    config: DataConfig,
    shape: ImageShape | None = None,
    allocate: AllocateSplit = _in_memory,
    before: Before = NOTHING,
    to_train: bool = True,
) -> Dataset:
    """Divide, choose a preparation, decode; `before` is what a model to start from remembers of its images;
    without `to_train`, held-out images alone will do.

    Raises UserError for whatever the user has to mend.
    """
    if config.group_by is not None and all(part.groups is None for part in collection.splits.values()):
        raise UserError(
            f"{collection.name} has nothing to be grouped by: leave out group_by '{config.group_by}'"
        )
    collection = replace(collection, splits=before.begun_with(collection.splits))
    collection = as_stated(_renamed(collection, config.class_names), config)
    classes = class_names(collection, config.class_names)
    parts, notices = divide(collection, classes, config, before.held_out, to_train)
    for part in collection.splits.values():
        indices(part, classes)  # a label outside the classes is found before hours of decoding
    facts = facts_of(list(collection.splits.values()))
    preparation, remarks = choose(facts, config, shape, collection.natural_size)
    splits: dict[str, ImageSet] = {}
    bad: list[tuple[str, str]] = []
    for split, part in parts.items():
        try:
            images, skipped = decode_part(part, classes, preparation, config.skip_bad_images, split, allocate)
        except BadImagesError as error:  # those of the other splits are named too
            bad += error.found
            continue
        splits[split] = images
        remarks += _about_skipped(skipped, split)
    if bad:
        raise BadImagesError(bad)
    splits, moved = before.keep_apart(splits)
    remarks += moved
    remarks += about_classes(splits["train"], _words(collection)) if "train" in splits else []
    remarks += about_same_images(splits)
    remarks += about_range(splits, preparation)
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
    splits = {
        split: part
        if isinstance(part.pictures, ArrayPictures)
        else replace(part, pictures=AsStated(part.pictures, config.white, config.pages == "first"))
        for split, part in collection.splits.items()
    }
    return replace(collection, splits=splits)


def facts_of(parts: list[Part]) -> list[Facts]:
    """The headers of all pictures. Raises UserError where none can be read."""
    facts = [each for part in parts for each in part.pictures.facts()]
    for part in parts if not facts else []:
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
    allocate: AllocateSplit = _in_memory,
    indices_allowed: bool = True,
) -> tuple[ImageSet, list[str]]:
    """One split as levels and labels, and the names of files that were left out."""

    def room(shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
        return allocate(split, shape, kind)

    what = "reading images" if split == "all" else f"reading {split} images"
    levels, kept, skipped = decode_all(part.pictures, part.names, preparation, skip_bad, room, what)
    if not kept:
        raise UserError(f"none of the {len(part):,} {split} images can be read")
    labels = indices(part, classes, indices_allowed)[kept]
    names = part.names if len(kept) == len(part) else [part.names[row] for row in kept]
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
    splits = {
        split: replace(part, words=[new.get(word, word) for word in part.words])
        for split, part in collection.splits.items()
    }
    return replace(collection, splits=splits, names=declared)


def _words(collection: Collection) -> set[str]:
    return {word for part in collection.splits.values() for word in part.words}


def _about_skipped(skipped: list[str], split: str) -> list[str]:
    if not skipped:
        return []
    more = f" and {len(skipped) - 5:,} more" if len(skipped) > 5 else ""
    return [f"{len(skipped):,} unreadable {split} files are left out: {', '.join(skipped[:5])}{more}"]
