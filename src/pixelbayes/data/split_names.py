"""Words for the splits: train, validation, test."""

import re
from collections.abc import Iterable

WORDS = {
    "train": ("train", "training", "trn"),
    "validation": ("validation", "val", "valid", "dev", "development"),
    "test": ("test", "testing", "tst"),
    "eval": ("eval", "evaluation"),
}
"""'eval' is the validation split where no other has that name, else the test split."""
ENDING = r"([-_ ]?(set|split|data|imgs?|images?))?"


def split_of(name: str) -> str | None:
    """The split that a folder's or a table's name says, perhaps 'eval'; None where it says none.

    >>> split_of("Test_Images"), split_of("cat")
    ('test', None)
    """
    matching = (
        split
        for split, words in WORDS.items()
        if re.fullmatch(f"({'|'.join(words)}){ENDING}", name.strip(), re.IGNORECASE)
    )
    return next(matching, None)


def splits_of(names: Iterable[str]) -> dict[str, str]:
    """Those of the names that say a split -> 'train', 'validation' or 'test'.

    >>> splits_of(["dev", "eval", "cat"])
    {'dev': 'validation', 'eval': 'test'}
    """
    found = {name: split for name in names if (split := split_of(name)) is not None}
    other = "test" if "validation" in found.values() and "test" not in found.values() else "validation"
    return {name: other if split == "eval" else split for name, split in found.items()}
