"""What words say: those of tables and folders name classes, those of folders and files name splits and groups."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from ..errors import UserError, some_of
from ..labels import UNKNOWN, Labels
from .collection import Collection, Part

UNKNOWN_WORDS = ("", "-1")
SPLIT_WORDS = {
    "train": ("train", "training", "trn"),
    "validation": ("validation", "val", "valid", "dev", "development"),
    "test": ("test", "testing", "tst"),
    "eval": ("eval", "evaluation"),
}
"""'eval' is the validation split where no other has that name, else the test split."""
ENDING = r"([-_ ]?(set|split|data|imgs?|images?))?"


def class_names(collection: Collection, declared: tuple[str, ...] | None) -> Labels:
    """The classes of a data set: those declared, else those of the source, else the words that occur.

    A single class is none: the model is unconditional.
    """
    known = declared or collection.names
    if known is None:
        train = collection.splits.get("train", collection.splits.get("all"))
        parts = [train] if train is not None else collection.parts
        known = in_order({word for part in parts for word in part.words if word not in UNKNOWN_WORDS})
    if len(known) > 1:
        return Labels(tuple(known))
    words = collection.words - set(UNKNOWN_WORDS)
    if "-1" in collection.words and words == {"1"} and not declared:
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
    return tuple(sorted(unique, key=int if all(word.isdecimal() for word in unique) else None))


def indices(part: Part, classes: Labels, indices_allowed: bool = True) -> np.ndarray:
    """int64 labels `[N]`; -1 where unknown or where there are no classes.

    Raises UserError naming the files whose label is outside the classes.
    """
    if not len(classes):
        return np.full(len(part), UNKNOWN, dtype=np.int64)
    table = {word: index_of(word, classes, indices_allowed) for word in set(part.words)}
    outside = [word for word, index in table.items() if index is None]
    if outside:
        files = [name for name, word in zip(part.names, part.words, strict=True) if word in outside]
        labels = ", ".join(f"'{word}'" for word in in_order(outside)[:5])
        known = ", ".join(classes.names[:20]) + (", ..." if len(classes) > 20 else "")
        numbers = all(name.isdecimal() for name in classes)
        indexed = "" if numbers else f", an index from 0 to {len(classes) - 1}"
        raise UserError(
            f"label {labels} of {some_of(files, 3)} is outside the classes "
            f"(accepted: {known}{indexed}, or -1 for unknown)"
        )
    return np.array([table[word] for word in part.words], dtype=np.int64)


def foreign(part: Part, classes: Labels, indices_allowed: bool) -> bool:
    """Whether no word at all names one of the classes (sub-folders that mean something else)."""
    words = set(part.words) - set(UNKNOWN_WORDS)
    return bool(words) and all(index_of(word, classes, indices_allowed) is None for word in words)


def index_of(word: str, classes: Labels, indices_allowed: bool = True) -> int | None:
    """The class that a word names, -1 where it says 'unknown', None where it is none of the classes."""
    if word in classes.names:
        return classes.names.index(word)
    if word in UNKNOWN_WORDS:
        return UNKNOWN
    if word in classes.folders:  # as `pixelbayes generate` writes the name
        return classes.folders.index(word)
    if not indices_allowed or all(name.isdecimal() for name in classes):
        return None  # where the names are numbers, another number is another class
    try:
        return classes.index(word)
    except UserError:
        return None


def split_of(name: str) -> str | None:
    """The split that a folder's or a table's name says, perhaps 'eval'; None where it says none.

    >>> split_of("Test_Images"), split_of("cat")
    ('test', None)
    """
    for split, words in SPLIT_WORDS.items():
        if re.fullmatch(f"({'|'.join(words)}){ENDING}", name.strip(), re.IGNORECASE):
            return split
    return None


def splits_of(names: Iterable[str]) -> dict[str, str]:
    """Those of the names that say a split -> 'train', 'validation' or 'test'.

    >>> splits_of(["dev", "eval", "cat"])
    {'dev': 'validation', 'eval': 'test'}
    """
    splits = {name: split for name in names if (split := split_of(name)) is not None}
    other = "test" if "validation" in splits.values() and "test" not in splits.values() else "validation"
    return {name: other if split == "eval" else split for name, split in splits.items()}


def is_pattern(group_by: str) -> bool:
    """Whether it can be a pattern (which has a group in parentheses) and not a column's name."""
    return "(" in group_by


def groups_by_pattern(
    pattern: str | None,
    names: Sequence[str],
    required: bool = True,
    name: str = "group_by",
    whole: bool = False,
) -> list[str] | None:
    """Group 1 of the regular expression in each path's file name; '' (no group) where it does not match.

    A pattern that matches no file name (or any, where `whole`) is looked for in the whole paths. One that matches none
    of them, either, gives None where a group is not `required`. Raises UserError (`name`: what the pattern is given as)
    for a pattern that is none, has no group, or, where one is required, matches nothing.

    >>> groups_by_pattern(r"([a-z]+)_[0-9]+", ["cats/tom_1.png", "cats/tom_2.png"])
    ['tom', 'tom']
    """
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(f"{name} '{pattern}' is no regular expression: {error}") from error
    if not compiled.groups:
        raise UserError(
            f"{name} '{pattern}' is no column of a table, and as a pattern of the file name it needs a group in "
            "parentheses, such as '([a-z]+)_[0-9]+'"
            if name == "group_by"
            else f"{name} is first, parent, path, or a pattern with a group in parentheses, not '{pattern}'"
        )
    matches = [] if whole else [compiled.search(word.rpartition("/")[2]) for word in names]
    if not any(matches):
        matches = [compiled.search(word) for word in names]
    if not any(matches):
        if not required:
            return None
        raise UserError(f"{name} '{pattern}' matches none of the paths, such as {names[0] if names else '-'}")
    return [(match.group(1) or "") if match else "" for match in matches]
