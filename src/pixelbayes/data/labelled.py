"""Arrays of labels, in the forms that people have, -> the words of a part."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import UserError
from ..inputs import one_each, plain_label
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
    array = np.asarray(one_each(labels, name))
    if array.ndim != 1:
        raise UserError(f"{name}: labels of shape {array.shape}; one for each image is needed")
    if np.issubdtype(array.dtype, np.floating):
        array = np.where(np.isnan(array), -1, array)
        if not (np.isfinite(array) & (array == np.floor(array))).all():
            raise UserError(f"{name}: labels must be whole numbers or names, not {array.dtype} values")
    if np.issubdtype(array.dtype, np.number):
        words = [str(int(label)) for label in array]
    else:
        words = [str(plain_label(label)) for label in array]
    for word in words:
        if word.startswith("-") and word[1:].isdecimal() and word != "-1":
            raise UserError(
                f"{name}: label {word} is outside the classes (accepted: from 0, or -1 for unknown)"
            )
    return words
