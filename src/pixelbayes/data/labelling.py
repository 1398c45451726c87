"""Words for classes -> names and indices."""

from collections.abc import Iterable, Sequence

import numpy as np

from ..errors import UserError
from ..labels import UNKNOWN, Labels
from .collection import Collection, Part

UNKNOWN_WORDS = ("", "-1")


def class_names(collection: Collection, declared: tuple[str, ...] | None) -> Labels:
    """The classes of a data set: those declared, else those of the source, else the words that occur.

    A single class is none: the model is unconditional.
    """
    known = declared or collection.names
    if known is None:
        train = collection.splits.get("train", collection.splits.get("all"))
        parts = [train] if train is not None else list(collection.splits.values())
        known = in_order({word for part in parts for word in part.words if word not in UNKNOWN_WORDS})
    if len(known) > 1:
        return Labels(tuple(known))
    written = {word for part in collection.splits.values() for word in part.words}
    words = written - set(UNKNOWN_WORDS)
    if "-1" in written and words == {"1"} and not declared:
        raise UserError(
            f"{collection.name}: the labels are -1 and 1, and -1 says 'unknown': use 0 and 1, or names"
        )
    if declared and len(words) > 1:
        raise UserError(
            f"one class name ({declared[0]}) for images of {len(words)} classes: {', '.join(in_order(words))}"
        )
    return Labels(())


def in_order(words: Iterable[str]) -> tuple[str, ...]:
    """Sorted; as numbers where all are.

    >>> in_order(["10", "9"])
    ('9', '10')
    """
    unique = set(words)
    if all(word.isdecimal() for word in unique):
        return tuple(sorted(unique, key=int))
    return tuple(sorted(unique))


def indices(part: Part, classes: Labels, indices_allowed: bool = True) -> np.ndarray:
    """int64 labels `[N]`; -1 where unknown or where there are no classes.

    Raises UserError naming the files whose label is outside the classes.
    """
    if not len(classes):
        return np.full(len(part), UNKNOWN, dtype=np.int64)
    table = {word: index_of(word, classes, indices_allowed) for word in set(part.words)}
    outside = [word for word, index in table.items() if index is None]
    if outside:
        raise _outside(part, outside, classes)
    return np.array([table[word] for word in part.words], dtype=np.int64)


def foreign(parts: Sequence[Part], classes: Labels, indices_allowed: bool) -> bool:
    """Whether no word at all names one of the classes (sub-folders that mean something else)."""
    words = {word for part in parts for word in part.words if word not in UNKNOWN_WORDS}
    return bool(words) and all(index_of(word, classes, indices_allowed) is None for word in words)


def index_of(word: str, classes: Labels, indices_allowed: bool = True) -> int | None:
    """The class that a word names, -1 where it says 'unknown', None where it is none of the classes."""
    if word in UNKNOWN_WORDS and word not in classes.names:
        return UNKNOWN
    if word in classes.names:
        return classes.names.index(word)
    if word in classes.folders:  # as `pixelbayes generate` writes the name
        return classes.folders.index(word)
    if not indices_allowed or all(name.isdecimal() for name in classes):
        return None  # where the names are numbers, another number is another class
    try:
        return classes.index(word)
    except UserError:
        return None


def _outside(part: Part, outside: list[str], classes: Labels) -> UserError:
    files = [name for name, word in zip(part.names, part.words, strict=True) if word in outside]
    more = f" and {len(files) - 3:,} more" if len(files) > 3 else ""
    labels = ", ".join(f"'{word}'" for word in in_order(outside)[:5])
    known = ", ".join(classes.names[:20]) + (", ..." if len(classes) > 20 else "")
    numbers = all(name.isdecimal() for name in classes)
    indexed = "" if numbers else f", an index from 0 to {len(classes) - 1}"
    return UserError(
        f"label {labels} of {', '.join(files[:3])}{more} is outside the classes "
        f"(accepted: {known}{indexed}, or -1 for unknown)"
    )
