"""A folder with one sub-folder for each class, with or without train/validation/test above or below them."""

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ...errors import UserError
from ..collection import SPLITS, Collection, Part, Source
from ..config import DataConfig
from ..file_pictures import FilePictures, FolderContent, about_others, search
from ..words import groups_by_pattern, split_of, splits_of
from .tables import TABLES, text_lines

Parts = tuple[str, ...]
"""The folders on the way to an image, and its name."""
Ways = dict[Path, Parts]
USUAL = ("train", "training", "validation", "val", "valid", "test", "testing")
"""Names of splits that need no explanation."""


@dataclass(frozen=True)
class Layout:
    """Which images each split has: the folders on the way to each, below the split; and what was concluded."""

    splits: dict[str, Ways]
    notices: list[str]


class ClassFolders(Source):
    """Images below `folder`; a folder on the way to an image is its class."""

    def __init__(self, folder: Path, config: DataConfig) -> None:
        self.folder, self.name, self.config = folder, str(folder), config

    @cached_property
    def content(self) -> FolderContent:
        """All that lies in the folder. Raises UserError where there is no image that can be read."""
        try:
            content = search(self.folder)
        except OSError as error:
            raise UserError(f"{error.filename or self.folder}: {error.strerror}") from error
        if not content.images:
            idx = any(self.folder.glob("*idx?-ubyte*"))
            others = "".join(f", but {line}" for line in about_others(content.others))
            raise UserError(
                f"{self.folder} holds no images that are read (accepted: png, jpg, tif, webp, bmp, gif, avif, npy, "
                f"...){'; its idx files are read by `mnist --root`' if idx else others}"
            )
        return content

    @cached_property
    def layout(self) -> Layout:
        return lay_out(self.content.images, self.folder)

    def files(self) -> list[Path]:
        images = [path for ways in self.layout.splits.values() for path in ways]
        # What is told of the files that are not read stands in for their state.
        told = [Path(notice) for notice in self.content.notices(self.folder)]
        return [*names_files(self.folder), *told, *images]

    def validates(self) -> bool:
        return "validation" in self.layout.splits

    def has_classes(self) -> bool:
        """Whether the folders tell more than one class."""
        try:
            every = [parts for ways in self.layout.splits.values() for parts in ways.values()]
        except UserError:  # no images
            return False
        return len({parts[0] for parts in every if len(parts) > 1}) > 1

    def read(self) -> Collection:
        splits, notices = {}, [*self.layout.notices]
        for split, ways in self.layout.splits.items():
            inside = {path: parts for path, parts in ways.items() if len(parts) > 1}
            # Beside folders with most of the images, a picture such as samples.png is no image of the set.
            splits[split] = inside if 2 * len(inside) >= len(ways) else ways
            notices += _about_loose([path for path in ways if path not in splits[split]])
        every = [parts for ways in splits.values() for parts in ways.values()]
        words, said = class_words(every, self.config.class_from)
        parts = {split: self._part(ways, words, split != "test") for split, ways in splits.items()}
        notices += [*said, *self._about_tables(), *self.content.notices(self.folder)]
        hint = "" if {"train", "all"} & set(parts) else missing_train(self.folder)
        return Collection(self.name, parts, names_from(self.folder), notices, hint=hint)

    def _part(self, ways: Ways, words: dict[Parts, str], grouped: bool) -> Part:
        names = [path.relative_to(self.folder).as_posix() for path in ways]
        groups = groups_by_pattern(self.config.group_by, names, required=grouped)
        return Part(FilePictures(list(ways)), [words[parts] for parts in ways.values()], names, groups)

    def _about_tables(self) -> list[str]:
        """Tables beside the images, which may have been meant."""
        tables = [path for path in self.content.others if path.suffix.lower() in TABLES]
        if not tables:
            return []
        names = ", ".join(path.relative_to(self.folder).as_posix() for path in tables[:3])
        more = ", ..." if len(tables) > 3 else ""
        return [
            f"classes come from the folders, not from {names}{more} (a table is read where it is given as DATA)"
        ]


def lay_out(images: Sequence[Path], folder: Path) -> Layout:
    """Find the splits: below a lone wrapper, above the classes, or below them. Raises nothing."""
    ways, wrapper = _unwrapped({path: path.relative_to(folder).parts for path in images})
    notices = [f"the classes lie within {wrapper}/, alone in {folder}"] if wrapper else []
    notices += _about_loose([path for path in images if path not in ways])
    tops = list(dict.fromkeys(parts[0] for parts in ways.values() if len(parts) > 1))
    names = splits_of(tops)
    if names and _are_splits(ways, tops, names):
        splits = _divided(ways, names, at=0)
        if beside := [name for name in tops if name not in names]:
            notices.append(f"folders beside {', '.join(splits)} are not taken: {', '.join(beside[:5])}")
        notices += _about_loose([path for path, parts in ways.items() if len(parts) == 1])
        odd = [f"{name} is the {split} split" for name, split in names.items() if name.lower() not in USUAL]
        return Layout(splits, [*notices, *([f"of the folders, {', '.join(odd)}"] if odd else [])])
    below = splits_of(dict.fromkeys(parts[1] for parts in ways.values() if len(parts) > 2))
    if len(tops) > 1 and below and all(len(parts) > 2 and parts[1] in below for parts in ways.values()):
        notices.append("the splits lie below the classes, in folders " + ", ".join(below))
        return Layout(_divided(ways, below, at=1), notices)
    return Layout({"all": ways}, notices)


def _unwrapped(ways: Ways) -> tuple[Ways, str]:
    """The images below folders that hold all else, and the way there; a lone folder of images is a class."""
    wrapper: list[str] = []
    while True:
        tops = {parts[0] for parts in ways.values() if len(parts) > 1}
        deep = sum(len(parts) > 2 for parts in ways.values())
        if len(tops) != 1 or 2 * deep < len(ways) or split_of(next(iter(tops))) is not None:
            return ways, "/".join(wrapper)
        wrapper.append(tops.pop())
        ways = {path: parts[1:] for path, parts in ways.items() if len(parts) > 1}


def _are_splits(ways: Ways, tops: Sequence[str], names: dict[str, str]) -> bool:
    """Whether folders with the names of splits are some: alone, or with classes in them; 'train' may be a class."""
    deep = {parts[0] for parts in ways.values() if len(parts) > 2}
    if set(names) == set(tops):
        return True
    if "train" in names.values():
        return all(name in deep for name, split in names.items() if split == "train")
    return len(names) > 1 and set(names) <= deep and not deep - set(names)


def _divided(ways: Ways, names: dict[str, str], at: int) -> dict[str, Ways]:
    """The images of each split, by the folder at that place on the way, which is then left out."""
    splits: dict[str, Ways] = {split: {} for split in SPLITS}
    for path, parts in ways.items():
        if len(parts) > at + 1 and parts[at] in names:
            splits[names[parts[at]]][path] = (*parts[:at], *parts[at + 1 :])
    return {split: images for split, images in splits.items() if images}


def _about_loose(loose: Sequence[Path]) -> list[str]:
    if not loose:
        return []
    names = ", ".join(path.name for path in loose[:3]) + (", ..." if len(loose) > 3 else "")
    what = "1 image lies" if len(loose) == 1 else f"{len(loose):,} images lie"
    return [f"{what} in {loose[0].parent} beside the class folders, not taken ({names})"]


def class_words(ways: Sequence[Parts], class_from: str | None) -> tuple[dict[Parts, str], list[str]]:
    """The class that the way to each image says, and what is said of it. Raises UserError for a pattern that is none or
    matches nothing.

    Not asked for, it is the first folder; the last one where the first ones share the names of theirs (years or places
    above the classes).
    """
    notices = []
    if class_from is None and _share_names(ways):
        class_from = "parent"
        names = ", ".join(sorted({parts[-2] for parts in ways if len(parts) > 1})[:5])
        notices.append(
            f"the folders {ways[0][0]}, ... have folders of the same names: the last folder is the class ({names}; "
            "--class-from first takes the first one, path the whole way)"
        )
    words: Sequence[str] | None
    if class_from in (None, "first", "parent"):
        at = -2 if class_from == "parent" else 0
        words = [parts[at] if len(parts) > 1 else "" for parts in ways]
    elif class_from == "path":
        words = ["/".join(parts[:-1]) for parts in ways]
    else:
        whole = ["/".join(parts) for parts in ways]
        words = groups_by_pattern(class_from, whole, name="class_from", whole=True)
    return dict(zip(ways, words or [], strict=True)), notices


def _share_names(ways: Sequence[Parts]) -> bool:
    """Whether two or more folders hold no images but folders, most of whose names (two or more) they share."""
    below: dict[str, set[str]] = {}
    for parts in ways:
        if len(parts) > 1:
            below.setdefault(parts[0], set()).add(parts[-2] if len(parts) > 2 else "")
    counts = Counter(name for names in below.values() for name in names)
    shared = [name for name, count in counts.items() if count > 1]
    if len(below) < 2 or "" in counts or len(shared) < 2:
        return False
    return 2 * len(shared) >= len(counts) and all(names & set(shared) for names in below.values())


def missing_train(folder: Path) -> str:
    """What to do where there are splits without one to train on."""
    inner = [child for child in sorted(folder.iterdir()) if child.is_dir() and split_of(child.name)]
    other = f", or train on one of them: pixelbayes train {shlex.quote(str(inner[0]))}" if inner else ""
    return f": a folder 'train' is missing{other}"


def names_from(folder: Path) -> tuple[str, ...] | None:
    """The class names in classes.txt, one a line, if there is such a file."""
    lines = [line.strip() for file in names_files(folder) for line in text_lines(file)]
    return tuple(line for line in lines if line) or None


def names_files(folder: Path) -> list[Path]:
    """The file classes.txt, if there is one."""
    return [file for file in [folder / "classes.txt"] if file.is_file()]
