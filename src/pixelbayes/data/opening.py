"""DATA -> a data set for training, or images for a model."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ..errors import UserError
from ..labels import UNKNOWN, Labels
from ..levels import ImageShape
from ..plain import from_plain, to_plain
from ..records import DataRecord
from .assembling import as_stated, assemble, decode_part, facts_of, in_memory
from .cache import Entry
from .collection import Part, join
from .config import DataConfig
from .decode_all import LazyLevels, too_many_to_decode_at_once
from .held_out import Before, as_remembered, recall, recall_prints, the_split
from .image_set import Allocate, Dataset, ImageSet
from .preparation import Preparation, refuse_too_deep
from .remarks import about_kinds
from .sources import find_source
from .sources.csv_splits import CsvSplits
from .words import foreign, index_of, indices

Data = str | Path | Sequence[str | Path]
DIVISION = ("validation_share", "split_seed", "group_by", "folds", "fold")
"""Of the settings of data, that say which images are held out."""
OF_ONE_SOURCE = ("group_by", "class_names", "label_column", "path_column", "path_prefix", "class_from")
"""Of the settings of data, that other data have not."""


def open_dataset(
    source: Data,
    config: DataConfig | None = None,
    shape: ImageShape | None = None,
    *,
    known: DataRecord | None = None,
    begun_with: str | None = None,
) -> Dataset:
    """Find, divide, decode. A decoded copy is kept in the cache and serves until a file changes.

    Raises UserError.

    Args:
        source: a standard set's name, `hub:NAME`, a folder of classes, a folder with train.csv, a CSV, a .npz file of
            arrays, a .npy stack or a pattern.
        config: how the images are prepared and divided.
        shape: what a recipe or model wants where `config` leaves it open.
        known: what a model to start from remembers of its data. Of the same source, divided alike, the images that it
            held out are held out again; of any, none that it was trained on where there are others.
        begun_with: prints of the names of the images to take (`held_out.remember_prints`); those that came later are
            left out.

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
    to_train: bool = True,
) -> Dataset:
    """What `open_dataset` says; `left`: what is left will do, where images that a table names are gone; `to_train`:
    there must be training images."""
    if config.root is not None:  # the description must hold in another working folder too
        config = replace(config, root=str(Path(config.root).resolve()))
    levels = config.levels or (shape.levels if shape else None)
    reader = find_source(source, replace(config, levels=levels))
    gone = left and isinstance(reader, CsvSplits) and reader.leave_out_missing()
    word, files = canonical(source), reader.files()
    record = _known_before(known or DataRecord(), word, config)
    before = Before(
        recall(record.held_out),
        recall_prints(record.trained_on),
        None if begun_with is None else recall_prints(begun_with),
    )

    def made(allocate: Allocate) -> Dataset:
        dataset = assemble(reader.read(), config, shape, allocate, before, to_train=to_train)
        return replace(dataset, preparation=replace(dataset.preparation, source=word))

    if not files:
        return made(in_memory)
    told = {
        "held_out": record.held_out,
        "trained_on": record.trained_on,
        "begun_with": begun_with,
        "left": gone,
    }
    question = {
        "source": word,
        "config": to_plain(config),
        "shape": to_plain(shape) if shape else None,
        **{name: value for name, value in told.items() if value},
    }
    found = Entry(question, files).dataset(made)
    # A copy that was made to judge by may lack them; the reader says what is missing.
    return made(in_memory) if to_train and "train" not in found.splits else found


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
    config = _stored_config(preparation, canonical(source))
    config = replace(
        config,
        skip_bad_images=config.skip_bad_images or skip_bad_images,
        root=root or config.root,
        label_column=config.label_column if label_column is None else label_column,
        path_column=config.path_column if path_column is None else path_column,
    )
    if split is not None:
        return _open_split(source, split, stored, preparation, config, classes)
    reader = find_source(source, replace(config, levels=stored.levels), classes)
    collection = as_stated(reader.read(), config)
    if (
        collection.indices_allowed and collection.names is not None
    ):  # an index counts the source's own classes
        collection = collection.each(partial(_by_name, Labels(collection.names)))
    part = join(collection.parts)
    facts = facts_of(collection)
    check_channels([each.channels for each in facts], stored, preparation.file_channels, collection.name)
    refuse_too_deep(max(each.maximum for each in facts), stored.levels, collection.name)
    notices = [*collection.notices, *about_kinds(facts, stored)]
    by_index = collection.indices_allowed
    # In a table a label was written on purpose: a wrong one is an error.
    if len(classes) and not isinstance(reader, CsvSplits) and foreign(part, classes, by_index):
        notices.append("the labels are none of the model's classes and are taken as unknown")
        part = Part(part.pictures, [""] * len(part), part.names)
    if lazy and too_many_to_decode_at_once(part.pictures):
        labels = torch.from_numpy(indices(part, classes, by_index))
        levels = LazyLevels(part.pictures, part.names, stored, skip_bad_images)
        return ImageSet(levels, labels, part.names, classes, stored.shape, tuple(notices))  # type: ignore[arg-type]
    images, skipped = decode_part(part, classes, stored, skip_bad_images, indices_allowed=by_index)
    notices += [f"{len(skipped):,} unreadable and left out: {', '.join(skipped)}"] if skipped else []
    return replace(images, notices=tuple(notices))


def _by_name(own: Labels, part: Part) -> Part:
    """The part with the names of its classes, where it gives indices of its `own`; other words stay."""
    known = {word: index_of(word, own) for word in set(part.words)}
    named = {word: own[index] for word, index in known.items() if index is not None and index != UNKNOWN}
    return replace(part, words=[named.get(word, word) for word in part.words])


def default_split(source: Data, preparation: DataRecord, root: str | None = None) -> str | None:
    """What to evaluate on: 'validation' of the training's data and of data that come with one; None: all of them."""
    if preparation.source == canonical(source):
        return "validation"
    config = _stored_config(preparation, canonical(source))
    reader = find_source(source, replace(config, root=root or config.root))
    return "validation" if reader.validates() else None


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


def _stored_config(preparation: DataRecord, source: str) -> DataConfig:
    """The user's settings at training; those about splits and files hold for that source alone."""
    config = from_plain(DataConfig, preparation.config, "the model's description of its data")
    if preparation.source == source:
        return config
    return replace(config, folds=0, fold=0, **dict.fromkeys(OF_ONE_SOURCE))  # type: ignore[arg-type]


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
    dataset = _opened(source, config, shape, left=True, to_train=False) if same else None
    if dataset is None or dataset.shape != stored.shape:
        config = replace(config, size=None, channels=None, levels=stored.levels, signal="linear")
        dataset = _opened(source, config, stored.shape, left=same, to_train=False)
    check_channels(dataset.preparation.file_channels, stored, preparation.file_channels, dataset.name)
    images, changes = as_remembered(preparation, dataset, split) if same else (the_split(dataset, split), [])
    # The notices of the training's own data were said then.
    notices = (*changes, *(() if same else dataset.notices))
    return replace(images, labels=_mapped(images, classes, dataset.name), classes=classes, notices=notices)


def _mapped(images: ImageSet, classes: Labels, name: str) -> Tensor:
    """Labels as indices of a model's classes. Raises UserError for images of classes that it has not."""
    if not len(classes) or not len(images.classes):
        return torch.full_like(images.labels, UNKNOWN)
    table = [index_of(word, classes) for word in images.classes]
    if any(table[label] is None for label in set(images.labels.tolist()) - {UNKNOWN}):
        outside = [word for word, index in zip(images.classes, table, strict=True) if index is None]
        raise UserError(f"{name}: {', '.join(outside[:5])} are outside the model's classes")
    # What is unknown, -1, finds the last.
    return torch.tensor([*(UNKNOWN if index is None else index for index in table), UNKNOWN])[images.labels]
