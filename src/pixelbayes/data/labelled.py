"""Arrays of labels, in the forms that people have, -> the words of a part."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import UserError
from .collection import Part
from .raw import Pictures


def labelled(pictures: Pictures, labels: Any, name: str) -> Part:
    """The pictures with the word of each one's label, under names such as `name[3]`.

    labels: N numbers or names, also as `[N, 1]` or as `[N, K]` of 0 and 1 with a single 1 in each row; -1, NaN, None
    and an empty text say 'unknown', and so does None for all of them. Raises UserError.
    """
    names = [f"{name}[{row}]" for row in range(len(pictures))]
    words = [""] * len(names) if labels is None else _words(labels, name)
    check_length(words, len(pictures), "labels", name)
    return Part(pictures, words, names)


def check_length(values: Sequence[object], count: int, what: str, name: str) -> None:
    """Raises UserError where there is not one of the values for each image."""
    if len(values) != count:
        raise UserError(f"{name}: {len(values):,} {what} for {count:,} images")


def _words(labels: Any, name: str) -> list[str]:
    array = _in_one_row(np.asarray(labels), name)
    if np.issubdtype(array.dtype, np.floating):
        array = np.where(np.isnan(array), -1, array)
        if not (array == np.floor(array)).all():
            raise UserError(f"{name}: labels must be whole numbers or names, not {array.dtype} values")
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
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


def _in_one_row(labels: np.ndarray, name: str) -> np.ndarray:
    """`[N]` labels from `[N]`, `[N, 1]` or one-hot `[N, K]`."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        return labels[:, 0]
    if labels.ndim == 2 and labels.dtype.kind in "biuf" and np.isin(labels, (0, 1)).all():
        if (labels.sum(axis=1) == 1).all():
            return labels.argmax(axis=1)
        raise UserError(
            f"{name}: labels of shape {labels.shape}, where a row has no 1, or several: one class each"
        )
    if labels.ndim != 1:
        raise UserError(f"{name}: labels of shape {labels.shape}; one for each image is needed")
    return labels
