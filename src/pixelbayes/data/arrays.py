"""Data sets from arrays in memory."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import UserError
from ..levels import ImageShape
from .assembling import assemble
from .collection import Collection, Part
from .config import DataConfig
from .image_set import Dataset
from .stacks import about_depth, as_stack


def from_arrays(
    images: Any,
    labels: Any = None,
    *,
    validation: tuple[Any, Any] | Any = None,
    test: tuple[Any, Any] | Any = None,
    class_names: Sequence[str] | None = None,
    groups: Sequence[object] | None = None,
    config: DataConfig | None = None,
    shape: ImageShape | None = None,
    maximum: int | None = None,
    name: str = "arrays",
) -> Dataset:
    """A data set from arrays or tensors.

    images: `[N, H, W]`, `[N, H, W, C]` or `[N, C, H, W]` (see `stacks.channels_last`); labels: N numbers or
    names (-1 unknown), or None; validation, test: images, or a pair (images, labels); maximum: the value of
    white (chosen by type and values). Images of more than 32 pixels are shrunk, as those of folders are, unless
    `config.size` or `shape` says otherwise. Raises UserError.

    >>> data = from_arrays(np.zeros((20, 4, 4), dtype=np.uint8), [0, 1] * 10)
    >>> len(data.train), len(data.validation)
    (18, 2)
    """
    config = config or DataConfig()
    levels = config.levels or (shape.levels if shape else None)
    given = {"train": (images, labels), "validation": _pair(validation), "test": _pair(test)}
    told: list[str] = []
    splits = {
        split: _part(pair[0], pair[1], f"{name} ({split})", levels, maximum, told)
        for split, pair in given.items()
        if pair[0] is not None
    }
    if groups is not None:
        _check_length(groups, len(splits["train"]), "groups", name)
        splits["train"].groups = [str(group) for group in groups]
    if class_names is not None:
        config = _with_names(config, class_names)
    whites = {part.pictures.facts()[0].maximum for part in splits.values() if maximum is None}
    notices = told + [notice for white in sorted(whites) for notice in about_depth(white, levels, name)]
    collection = Collection(name, splits, notices=notices)
    return assemble(collection, config, shape)


def _with_names(config: DataConfig, names: Sequence[str]) -> DataConfig:
    return replace(config, class_names=tuple(str(name) for name in names))


def _pair(given: Any) -> tuple[Any, Any]:
    if isinstance(given, tuple) and len(given) == 2:
        return given
    return given, None


def _part(
    images: Any, labels: Any, name: str, levels: int | None, maximum: int | None, told: list[str]
) -> Part:
    pictures = as_stack(images, name, levels, maximum, told=told)
    names = [f"{name}[{row}]" for row in range(len(pictures))]
    if labels is None:
        return Part(pictures, [""] * len(names), names)
    words = _words(labels, name)
    _check_length(words, len(pictures), "labels", name)
    return Part(pictures, words, names)


def _words(labels: Any, name: str) -> list[str]:
    array = np.asarray(labels)
    if array.ndim != 1:
        raise UserError(f"{name}: labels of shape {array.shape}; one for each image is needed")
    if np.issubdtype(array.dtype, np.floating):
        array = np.where(np.isnan(array), -1, array)
    if np.issubdtype(array.dtype, np.floating) and not (array == np.floor(array)).all():
        raise UserError(f"{name}: labels must be whole numbers or names, not {array.dtype} values")
    if np.issubdtype(array.dtype, np.number):
        words = [str(int(label)) for label in array]
    else:  # None and not-a-number are how tables leave a label open
        words = ["" if label is None or label != label else str(label) for label in array]
    for word in words:
        if word.startswith("-") and word[1:].isdecimal() and word != "-1":
            raise UserError(
                f"{name}: label {word} is outside the classes (accepted: from 0, or -1 for unknown)"
            )
    return words


def _check_length(values: Sequence[object], wanted: int, what: str, name: str) -> None:
    if len(values) != wanted:
        raise UserError(f"{name}: {len(values):,} {what} for {wanted:,} images")
