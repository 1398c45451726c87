"""A .npz file of labelled images: NumPy's own, Keras's (`x_train`), MedMNIST's (`train_images`)."""

import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from ...errors import UserError, some_of
from ..collection import Collection, Part, Source
from ..config import DataConfig
from ..labelled import check_length, labelled
from ..stacks import about_depth, stack_of_file
from ..words import splits_of

Kind = Literal["images", "labels", "names", "groups"]
WORDS: dict[Kind, tuple[str, ...]] = {
    "images": ("images", "image", "imgs", "img", "x", "data", "pixels"),
    "labels": ("labels", "label", "y", "target", "targets"),
    "names": ("class_names", "label_names", "target_names", "classes"),
}
IN_ORDER = ("arr_0", "arr_1")
"""What `np.savez(file, images, labels)` calls them."""
MOST_BYTES = 1 << 33
"""Of an array, as long as a zip says: arrays are held in memory."""


@dataclass(frozen=True)
class Role:
    """What an array of a file is, and of which split ('all': the file is not divided)."""

    split: str
    kind: Kind


def roles(names: Iterable[str], words: dict[Kind, tuple[str, ...]] = WORDS) -> dict[str, Role]:
    """The arrays whose names say what they are.

    >>> found = roles(["train_images", "y_test", "notes"])
    >>> found["train_images"], found["y_test"], len(found)
    (Role(split='train', kind='images'), Role(split='test', kind='labels'), 2)
    """
    every = sorted(names)
    if set(every) <= set(IN_ORDER) or len(every) == 1:
        in_order: tuple[Kind, ...] = ("images", "labels")
        return {name: Role("all", kind) for name, kind in zip(every, in_order, strict=False)}
    said: dict[str, tuple[str, Kind]] = {
        name: ("", kind)  # a whole name first: 'target_names' are no labels of a split 'names'
        for kind, accepted in words.items()
        for name in every
        if name.lower() in map(str.lower, accepted)
    }
    for kind, accepted in words.items():
        word = "|".join(map(re.escape, accepted))
        for name in every:
            match = re.fullmatch(
                rf"((?P<before>.+)[-_. ])?({word})([-_. ](?P<after>.+))?", name, re.IGNORECASE
            )
            if match and not (match["before"] and match["after"]):
                said.setdefault(name, (match["before"] or match["after"] or "", kind))
    splits = {"": "all", **splits_of(rest for rest, _ in said.values())}
    return {name: Role(splits[rest], kind) for name, (rest, kind) in said.items() if rest in splits}


class Npz(Source):
    """Arrays of images `[N, H, W]`, `[N, H, W, C]` or `[N, C, H, W]` with their labels, by split or undivided."""

    def __init__(self, path: Path, config: DataConfig) -> None:
        self.path, self.name, self.config = path, str(path), config

    @cached_property
    def arrays(self) -> list[str]:
        """The names of all arrays of the file."""
        return array_names(self.path)

    @cached_property
    def _roles(self) -> dict[str, Role]:
        named: dict[Kind, tuple[str, str | None]] = {
            "labels": ("label_column", self.config.label_column),
            "groups": ("group_by", self.config.group_by),
        }
        asked: dict[Kind, tuple[str, ...]] = {
            kind: (word,) for kind, (_, word) in named.items() if word is not None
        }
        found = roles(
            self.arrays, {**asked, **{kind: own for kind, own in WORDS.items() if kind not in asked}}
        )
        for kind, (word,) in asked.items():
            if not any(role.kind == kind for role in found.values()):
                there = some_of(self.arrays, 8)
                raise UserError(f"{self.path} has no array '{word}' ({named[kind][0]}); there are {there}")
        return found

    def validates(self) -> bool:
        return any(role.split == "validation" for role in self._roles.values())

    def read(self) -> Collection:
        notices: list[str] = []
        parts = {split: self._part(split, notices) for split in self._splits()}
        splits = {split: part for split, part in parts.items() if part is not None}
        if not splits:
            raise UserError(f"{self.path} holds no images")
        unread = [name for name in self.arrays if name not in self._roles]
        notices += [f"not read of {self.name}: {some_of(unread, 5)}"] if unread else []
        return Collection(self.name, splits, self._class_names(), notices)

    def _splits(self) -> list[str]:
        """Those that have images, train first."""
        splits = {role.split for role in self._roles.values() if role.kind == "images"}
        lost = {role.split for role in self._roles.values() if role.kind == "labels"} - splits
        if not splits or lost:
            what = f"labels without images ({', '.join(sorted(lost))})" if splits else "no array of images"
            raise UserError(
                f"{self.path}: {what}; its arrays are {some_of(self.arrays, 8)}: call them images and labels, or "
                "train_images, train_labels, val_images, test_images and so on"
            )
        if {"all", "train"} <= splits:
            raise UserError(
                f"{self.path} has images, and images of a training split: which are to be trained on?"
            )
        order = ("all", "train", "validation", "test")
        return sorted(splits, key=order.index)

    def _part(self, split: str, notices: list[str]) -> Part | None:
        """The images of a split with their labels; None where it is empty."""
        name = f"{self.path.name}/{self._array(split, 'images')}"
        values = self._values(split, "images")
        if values.ndim in (3, 4) and not len(values):
            return None
        if values.ndim == 3 and values.shape[2] == 3 != values.shape[1]:
            raise UserError(f"{name}: shape {values.shape} is that of one image in colour: save images[None]")
        pictures = stack_of_file(values, name, self.config, notices)
        if self.config.white is None:
            notices += about_depth(pictures.maximum, self.config.levels, name)
        part = labelled(
            pictures, self._values(split, "labels") if self._array(split, "labels") else None, name
        )
        if self._array(split, "groups"):
            groups = self._values(split, "groups")
            part.groups = [str(group) for group in groups.reshape(-1)]
            check_length(part.groups, len(part), "groups", name)
        return part

    def _array(self, split: str, kind: Kind) -> str | None:
        """The one array with this role. Raises UserError where several have it."""
        named = [name for name, role in self._roles.items() if role == Role(split, kind)]
        if len(named) > 1:
            raise UserError(f"{self.path}: {', '.join(named)} could all be its {kind}; keep one")
        return named[0] if named else None

    def _values(self, split: str, kind: Kind) -> np.ndarray:
        return read_array(self.path, self._array(split, kind) or "", MOST_BYTES)

    def _class_names(self) -> tuple[str, ...] | None:
        if self._array("all", "names") is None:
            return None
        names = self._values("all", "names")
        if names.ndim != 1 or names.dtype.kind not in "US":
            raise UserError(
                f"{self.path}: class names are a row of texts, not {names.dtype} of shape {names.shape}"
            )
        return tuple(np.char.decode(names, "utf-8").tolist() if names.dtype.kind == "S" else names.tolist())


def array_names(path: Path) -> list[str]:
    """The arrays of a .npz file. Raises UserError where it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    except Exception as error:  # zipfile raises nearly anything on damaged files
        empty = path.is_file() and path.stat().st_size == 0
        raise UserError(
            f"{path} is {'empty' if empty else 'no .npz file, or truncated'} ({error})"
        ) from error


def read_array(path: Path, name: str, most: int) -> np.ndarray:
    """An array of `most` bytes at most; no more than the zip says is ever unpacked, and nothing in it is executed.

    Raises UserError.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            size = arrays.zip.getinfo(f"{name}.npy").file_size
            if size > most:
                raise ValueError(f"it takes {size:,} bytes; at most {most:,} are read")
            return arrays[name]
    except Exception as error:  # numpy and zipfile raise nearly anything on damaged files
        objects = "Object arrays" in str(error)
        why = "it holds Python objects; save texts as astype(str), numbers as integers" if objects else error
        raise UserError(f"{path}: the array '{name}' cannot be read ({why})") from error
