"""A folder with one sub-folder for each class, with or without train/validation/test above or below them."""

import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ...errors import UserError
from ...labels import Labels
from ..collection import Collection, Part
from ..config import DataConfig
from ..file_pictures import FilePictures, Found, about_others, search
from ..grouping import groups_by_pattern
from ..split_names import split_of, splits_of
from .tables import TABLES

Parts = tuple[str, ...]
"""The folders on the way to an image, and its name."""


@dataclass(frozen=True)
class Layout:
    """Which images each split has: the folders on the way to each, below the split; and what was concluded."""

    splits: dict[str, list[tuple[Parts, Path]]]
    notices: list[str]


class ClassFolders:
    """Images below `folder`; a folder on the way to an image is its class."""

    def __init__(self, folder: Path, config: DataConfig) -> None:
        self.folder = folder
        self.name = str(folder)
        self.class_from = config.class_from

    @cached_property
    def found(self) -> Found:
        """All that lies in the folder. Raises UserError where there is no image that can be read."""
        try:
            found = search(self.folder)
        except OSError as error:
            raise UserError(f"{error.filename or self.folder}: {error.strerror}") from error
        if not found.images:
            idx = any(self.folder.glob("*idx?-ubyte*"))
            hint = "; its idx files are read by `mnist --root`" if idx else ""
            others = "".join(f", but {line}" for line in about_others(found.others)) if not idx else ""
            raise UserError(
                f"{self.folder} holds no images that are read (accepted: png, jpg, tif, webp, bmp, gif, avif, npy, "
                f"...){others}{hint}"
            )
        return found

    @cached_property
    def layout(self) -> Layout:
        return lay_out(self.found.images, self.folder)

    def files(self) -> list[Path]:
        names = self.folder / "classes.txt"
        images = [path for entries in self.layout.splits.values() for _, path in entries]
        # What is told of the files that are not read stands in for their state.
        told = [Path(notice) for notice in self.found.notices(self.folder)]
        return [*([names] if names.is_file() else []), *told, *images]

    def validates(self) -> bool:
        return "validation" in self.layout.splits

    def has_classes(self) -> bool:
        """Whether the folders tell more than one class."""
        try:
            entries = [entry for entries in self.layout.splits.values() for entry in entries]
        except UserError:  # no images
            return False
        return len({parts[0] for parts, _ in entries if len(parts) > 1}) > 1

    def read(self, config: DataConfig, classes: Labels | None) -> Collection:
        splits, notices = {}, [*self.layout.notices]
        for split, entries in self.layout.splits.items():
            kept = _beside_left_out(entries)
            among = {path for _, path in kept}
            if loose := [path for _, path in entries if path not in among]:
                notices.append(_about_loose(loose))
            splits[split] = kept
        word_of, said = class_rule([parts for kept in splits.values() for parts, _ in kept], self.class_from)
        parts = {split: self._part(kept, word_of, config, split != "test") for split, kept in splits.items()}
        notices += [*said, *self._about_tables(), *self.found.notices(self.folder)]
        hint = "" if {"train", "all"} & set(parts) else missing_train(self.folder)
        return Collection(self.name, parts, names_from(self.folder), notices, hint=hint)

    def _part(
        self,
        entries: Sequence[tuple[Parts, Path]],
        word_of: Callable[[Parts], str],
        config: DataConfig,
        grouped: bool,
    ) -> Part:
        paths = [path for _, path in entries]
        names = [path.relative_to(self.folder).as_posix() for path in paths]
        groups = groups_by_pattern(config.group_by, names, required=grouped)
        return Part(FilePictures(paths), [word_of(parts) for parts, _ in entries], names, groups)

    def _about_tables(self) -> list[str]:
        """Tables beside the images, which may have been meant."""
        tables = [path for path in self.found.others if path.suffix.lower() in TABLES]
        if not tables:
            return []
        shown = ", ".join(path.relative_to(self.folder).as_posix() for path in tables[:3])
        more = ", ..." if len(tables) > 3 else ""
        return [
            f"classes come from the folders, not from {shown}{more} (a table is read where it is given as DATA)"
        ]


def lay_out(images: Sequence[Path], folder: Path) -> Layout:
    """Find the splits: below a lone wrapper, above the classes, or below them. Raises nothing."""
    entries, wrapper = _unwrapped([(path.relative_to(folder).parts, path) for path in images])
    notices = [f"the classes lie within {wrapper}/, alone in {folder}"] if wrapper else []
    within = {path for _, path in entries}
    if loose := [path for path in images if path not in within]:
        notices.append(_about_loose(loose))
    tops = list(dict.fromkeys(parts[0] for parts, _ in entries if len(parts) > 1))
    names = splits_of(tops)
    if names and _are_splits(entries, tops, names):
        splits: dict[str, list[tuple[Parts, Path]]] = {}
        for parts, path in entries:
            if len(parts) > 1 and parts[0] in names:
                splits.setdefault(names[parts[0]], []).append((parts[1:], path))
        if beside := [name for name in tops if name not in names]:
            notices.append(f"folders beside {', '.join(splits)} are not taken: {', '.join(beside[:5])}")
        if loose := [path for parts, path in entries if len(parts) == 1]:
            notices.append(_about_loose(loose))
        return Layout(_in_order(splits), [*notices, *_as_taken(names)])
    below = splits_of(dict.fromkeys(parts[1] for parts, _ in entries if len(parts) > 2))
    if len(tops) > 1 and below and all(len(parts) > 2 and parts[1] in below for parts, _ in entries):
        splits = {}
        for parts, path in entries:
            splits.setdefault(below[parts[1]], []).append(((parts[0], *parts[2:]), path))
        return Layout(
            _in_order(splits), [*notices, "the splits lie below the classes, in folders " + ", ".join(below)]
        )
    return Layout({"all": entries}, notices)


def _unwrapped(entries: list[tuple[Parts, Path]]) -> tuple[list[tuple[Parts, Path]], str]:
    """The entries below folders that hold all else, and the way there; a lone folder of images is a class."""
    way: list[str] = []
    while True:
        tops = {parts[0] for parts, _ in entries if len(parts) > 1}
        deep = sum(len(parts) > 2 for parts, _ in entries)
        if len(tops) != 1 or 2 * deep < len(entries) or split_of(next(iter(tops))) is not None:
            return entries, "/".join(way)
        way.append(tops.pop())
        entries = [(parts[1:], path) for parts, path in entries if len(parts) > 1]


def _are_splits(entries: list[tuple[Parts, Path]], tops: Sequence[str], names: dict[str, str]) -> bool:
    """Whether folders with the names of splits are some: alone, or with classes in them; 'train' may be a class."""
    deep = {parts[0] for parts, _ in entries if len(parts) > 2}
    if set(names) == set(tops):
        return True
    if "train" in names.values():
        return all(name in deep for name, split in names.items() if split == "train")
    return len(names) > 1 and set(names) <= deep and not deep - set(names)


def _as_taken(names: dict[str, str]) -> list[str]:
    """Folders of other names than the usual, and what they are taken for."""
    odd = [f"{name} is the {split} split" for name, split in names.items() if name.lower() not in
           (split, "training", "val", "valid", "testing")]  # fmt: skip
    return [f"of the folders, {', '.join(odd)}"] if odd else []


def _in_order(splits: dict[str, list[tuple[Parts, Path]]]) -> dict[str, list[tuple[Parts, Path]]]:
    return {split: splits[split] for split in ("train", "validation", "test") if split in splits}


def _beside_left_out(entries: list[tuple[Parts, Path]]) -> list[tuple[Parts, Path]]:
    """Where most images lie in class folders, those beside the folders are left out: a picture such as samples.png is
    no image of the set."""
    kept = [(parts, path) for parts, path in entries if len(parts) > 1]
    return kept if 2 * len(kept) >= len(entries) else entries


def _about_loose(loose: Sequence[Path]) -> str:
    shown = ", ".join(path.name for path in loose[:3]) + (", ..." if len(loose) > 3 else "")
    what = "1 image lies" if len(loose) == 1 else f"{len(loose):,} images lie"
    return f"{what} in {loose[0].parent} beside the class folders, not taken ({shown})"


def class_rule(ways: Sequence[Parts], class_from: str | None) -> tuple[Callable[[Parts], str], list[str]]:
    """How the class is read from the way to an image, and what is said of it. Raises UserError for a pattern that is
    none or matches nothing.

    Not asked for, it is the first folder; the last one where the first ones share the names of theirs (years or places
    above the classes).
    """
    if class_from in (None, "first"):
        shared = class_from is None and _share_names(ways)
        if shared:
            names = ", ".join(sorted({parts[-2] for parts in ways if len(parts) > 1})[:5])
            return _last, [
                f"the folders {ways[0][0]}, ... have folders of the same names: the last folder is the class ({names}; "
                "--class-from first takes the first one, path the whole way)"
            ]
        return (lambda parts: parts[0] if len(parts) > 1 else ""), []
    if class_from == "parent":
        return _last, []
    if class_from == "path":
        return (lambda parts: "/".join(parts[:-1])), []
    words = groups_by_pattern(class_from, ["/".join(parts) for parts in ways], name="class_from", whole=True)
    table = dict(zip(ways, words or [], strict=True))
    return (lambda parts: table[parts]), []


def _last(parts: Parts) -> str:
    return parts[-2] if len(parts) > 1 else ""


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
    file = folder / "classes.txt"
    if not file.is_file():
        return None
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read as text: {error}") from error
    return tuple(line for line in lines if line) or None
