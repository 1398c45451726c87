"""DATA -> a data set for training, or images for a model."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ..errors import UserError
from ..labels import UNKNOWN, Labels
from ..levels import ImageShape
from ..plain import from_plain, to_plain
from ..records import DataRecord
from .assembling import as_stated, assemble, decode_part, facts_of
from .cache import Entry
from .choice import about_kinds
from .collection import Part, join
from .config import DataConfig
from .held_out import Before, as_remembered, recall, recall_prints, the_split
from .image_set import Dataset, ImageSet
from .labelling import foreign, index_of, indices
from .lazy import LazyLevels, too_many_to_decode_at_once
from .preparation import Preparation, deep_message, too_deep
from .sources import find_source
from .sources.csv_splits import CsvSplits

Data = str | Path | Sequence[str | Path]


DIVISION = ("validation_share", "split_seed", "group_by", "folds", "fold")
"""Of the settings of data, that say which images are held out."""


def open_dataset(
    source: Data,
    config: DataConfig | None = None,
    shape: ImageShape | None = None,
    *,
    known: DataRecord | None = None,
    begun_with: str | None = None,
) -> Dataset:
    """Find, divide, decode. A decoded copy is kept in the cache and serves until a file changes.

    source: a standard set's name, `hub:NAME`, a folder of classes, a folder with train.csv, a CSV, a .npy stack
    or a pattern; shape: what a recipe or model wants where `config` leaves it open; known: what a model to start from
    remembers of its data: of the same source, divided alike, the images that it held out are held out again;
    begun_with: prints of the names of the images to take (`held_out.remember_prints`), where those that came later are
    left out. Raises UserError.

    Args:
        source: see above.
        config: how the images are prepared and divided.
        shape: see above.
        known: see above.

    Returns:
        A `Dataset`: its `.train`, `.validation` and `.test` are each an `ImageSet` or None.

    >>> open_dataset("digits").shape
    ImageShape(channels=1, height=8, width=8, levels=17, signal='linear')
    """
    return _opened(source, config or DataConfig(), shape, known=known, begun_with=begun_with)


def _opened(
    source: Data,
    config: DataConfig,
    shape: ImageShape | None,
    *,
    known: DataRecord | None = None,
    begun_with: str | None = None,
    left: bool = False,
) -> Dataset:
    """What `open_dataset` says; `left`: what is left will do, where images that a table names or all training images
    are gone."""
    if config.root is not None:  # the description must hold in another working folder too
        config = replace(config, root=str(Path(config.root).resolve()))
    found = find_source(source, config)
    gone = left and isinstance(found, CsvSplits) and found.leave_out_missing()
    word = canonical(source)
    files, record = found.files(), _known_before(known or DataRecord(), word, config)
    names = None if begun_with is None else recall_prints(begun_with)
    before = Before(recall(record.held_out), recall_prints(record.trained_on), names)
    if not files:
        return _named(
            assemble(found.read(config, None), config, shape, before=before, to_train=not left), word
        )
    question = {"source": word, "config": to_plain(config), "shape": to_plain(shape) if shape else None}
    told = {
        "held_out": record.held_out,
        "trained_on": record.trained_on,
        "begun_with": begun_with,
        "left": gone,
    }
    question |= {name: value for name, value in told.items() if value}
    entry = Entry(question, files)
    dataset = entry.load()
    if dataset is not None:
        return dataset
    with entry.alone():
        dataset = entry.load()  # another process may have decoded it meanwhile
        if dataset is None:
            try:
                collection = found.read(config, None)
                dataset = _named(assemble(collection, config, shape, entry.allocate, before, not left), word)
                if "train" in dataset.splits:
                    entry.store(dataset)
            finally:
                entry.discard()
    return dataset


def _known_before(known: DataRecord, word: str, config: DataConfig) -> DataRecord:
    """What a model to start from held out and was trained on; nothing where the same data are to be divided otherwise
    now, and of other data only what it was trained on."""
    if known.source != word:
        return DataRecord(trained_on=known.trained_on)
    alike = alike_divided(known, DataRecord(config=to_plain(config)))
    return DataRecord(held_out=known.held_out, trained_on=known.trained_on) if alike else DataRecord()


def alike_divided(one: DataRecord, other: DataRecord) -> bool:
    """Returns whether two records of the same data name the same way to divide them."""
    return all(one.config.get(name) == other.config.get(name) for name in DIVISION)


def open_images(
    source: Data,
    model_shape: ImageShape,
    preparation: DataRecord,
    classes: Labels,
    *,
    split: str | None = None,
    skip_bad_images: bool = False,
    root: str | None = None,
    label_column: str | None = None,
    path_column: str | None = None,
    lazy: bool = False,
) -> ImageSet:
    """Images for a model, prepared as in its training, in input order; labels -1 where unknown.

    source: any DATA word, also one image, a pattern, or a list of files; split: only that split of a data
    set, divided as for the training, of which the images that it held out are remembered; label_column, path_column:
    of a table, whose labels are unknown where none is plainly the label and none names the model's classes. Folders
    that name none of the model's classes at all are taken as unknown; lazy: many images are decoded when their levels
    are asked for, and not now. Raises UserError for images of another depth, for grey ones where the model takes
    colour, and for labels outside.
    """
    stored = Preparation.of(preparation, model_shape)
    config = _stored_config(preparation, canonical(source), skip_bad_images, root)
    config = replace(
        config,
        label_column=config.label_column if label_column is None else label_column,
        path_column=config.path_column if path_column is None else path_column,
    )
    if split is not None:
        return _open_split(source, split, stored, preparation, config, classes)
    found = find_source(source, config)
    collection = as_stated(found.read(replace(config, levels=stored.levels), classes), config)
    part = join(list(collection.splits.values()))
    facts = facts_of(list(collection.splits.values()))
    kinds = preparation.file_channels
    check_channels([each.channels for each in facts], stored, kinds, collection.name)
    if too_deep(max(each.maximum for each in facts), stored.levels):
        raise UserError(deep_message(collection.name, stored.levels))
    notices = [*collection.notices, *about_kinds(facts, stored)]
    if (
        len(classes)
        and foreign([part], classes, collection.indices_allowed)
        and not isinstance(found, CsvSplits)
    ):
        # In a table a label was written on purpose: a wrong one is an error.
        notices.append("the labels are none of the model's classes and are taken as unknown")
        part = Part(part.pictures, [""] * len(part), part.names)
    if lazy and too_many_to_decode_at_once(part.pictures):
        labels = torch.from_numpy(indices(part, classes, collection.indices_allowed))
        levels = LazyLevels(part.pictures, part.names, stored, skip_bad_images)
        return ImageSet(levels, labels, part.names, classes, stored.shape, tuple(notices))  # type: ignore[arg-type]
    images, skipped = decode_part(
        part, classes, stored, skip_bad_images, indices_allowed=collection.indices_allowed
    )
    notices += [f"{len(skipped):,} unreadable and left out: {', '.join(skipped)}"] if skipped else []
    return replace(images, notices=tuple(notices))


def default_split(source: Data, preparation: DataRecord) -> str | None:
    """What to evaluate on: 'validation' of the training's data and of data that come with one; None: all of them."""
    if preparation.source == canonical(source):
        return "validation"
    found = find_source(source, from_plain(DataConfig, preparation.config, "the model's data"))
    return "validation" if found.validates() else None


def canonical(source: Data) -> str:
    """The word for a source that also holds in another working folder."""
    if not isinstance(source, str | Path):
        return f"{len(source)} files"
    return str(Path(source).resolve()) if Path(source).exists() else str(source)


def check_channels(
    channels: Sequence[int], preparation: Preparation, trained_on: Sequence[int], name: str
) -> None:
    """Refuse images of another kind than the model was made for.

    Files of the kinds that it was trained on (`trained_on`: their channels) are converted as they were in training; so
    are colour files for a grey model, and single grey files among colour ones.
    """
    if set(channels) <= set(trained_on) or preparation.channels == 1:
        return
    if not any(count == 3 for count in channels):
        raise UserError(f"{name} is grey (1 channel), but the model takes colour images (3 channels)")


def _named(dataset: Dataset, source: str) -> Dataset:
    return replace(dataset, preparation=replace(dataset.preparation, source=source))


def _stored_config(preparation: DataRecord, source: str, skip_bad: bool, root: str | None) -> DataConfig:
    """The user's settings at training; those about splits and files hold for that source alone."""
    config = from_plain(DataConfig, preparation.config, "the model's description of its data")
    config = replace(config, skip_bad_images=config.skip_bad_images or skip_bad, root=root or config.root)
    if preparation.source != source:
        own = dict.fromkeys(
            ("group_by", "class_names", "label_column", "path_column", "path_prefix", "class_from")
        )
        config = replace(config, folds=0, fold=0, **own)  # type: ignore[arg-type]
    return config


def _open_split(
    source: Data,
    split: str,
    stored: Preparation,
    preparation: DataRecord,
    config: DataConfig,
    classes: Labels,
) -> ImageSet:
    asked = preparation.asked_shape
    shape = from_plain(ImageShape, asked, "the model's description of its data") if asked else None
    same = preparation.source == canonical(source)
    dataset = _opened(source, config, shape, left=True) if same else None
    if dataset is None or dataset.shape != stored.shape:
        config = replace(config, size=None, channels=None, levels=None, signal="linear")
        dataset = _opened(source, config, stored.shape, left=same)
    check_channels(dataset.preparation.file_channels, stored, preparation.file_channels, dataset.name)
    images, changes = as_remembered(preparation, dataset, split) if same else (the_split(dataset, split), [])
    labels = torch.tensor(
        [-2 if index is None else index for index in (index_of(name, classes) for name in dataset.classes)]
    )
    mapped = (
        labels[images.labels] if len(dataset.classes) and len(classes) else torch.full_like(images.labels, -1)
    )
    mapped = torch.where(images.labels == UNKNOWN, UNKNOWN, mapped)
    if bool((mapped == -2).any()):
        outside = [name for name in dataset.classes if index_of(name, classes) is None]
        raise UserError(f"{dataset.name}: {', '.join(outside[:5])} are outside the model's classes")
    # The notices of the training's own data were said then.
    notices = [*changes, *(() if same else dataset.notices)]
    return replace(images, labels=mapped, classes=classes, notices=tuple(notices))
