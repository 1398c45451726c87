"""train.csv, validation.csv and test.csv with a row for each image, or one such table."""

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from ...errors import UserError, some_of, unknown
from ...labels import Labels
from ..collection import SPLITS, Collection, Part, Source
from ..config import DataConfig
from ..file_pictures import FilePictures, data_folders
from ..formats import is_image_name
from ..words import groups_by_pattern, is_pattern, split_of, splits_of
from .class_folders import names_files, names_from
from .columns import about_columns, choose_labels, choose_path, class_words, find_column
from .tables import LOOKED_AT, TABLES, read_table

DEEPEST = 2
"""Folders below a table in which its images are looked for."""


def split_tables(folder: Path) -> dict[str, Path]:
    """The tables in a folder that say its splits; else Hugging Face's metadata.csv, in it or in its splits."""
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in TABLES and path.is_file()]
    named = splits_of(path.stem for path in files)
    tables = {named[path.stem]: path for path in reversed(files) if path.stem in named}
    if tables:
        return {split: tables[split] for split in SPLITS if split in tables}
    below = splits_of(child.name for child in sorted(folder.iterdir()) if child.is_dir())
    inner = {split: table for name, split in below.items() if (table := _metadata(folder / name))}
    whole = _metadata(folder)
    return {"all": whole} if whole and not inner else inner


def _metadata(folder: Path) -> Path | None:
    return next((path for end in TABLES if (path := folder / f"metadata{end}").is_file()), None)


def names_images(path: Path, config: DataConfig) -> bool:
    """Whether some of the first rows name images that are there; a table of captions must also tell their classes."""
    try:
        table = ImageTable(path, config)
    except UserError:
        return False
    if not any(table.images.find(word) is not None for word in table.names[:LOOKED_AT]):
        return False
    try:
        return path.stem != "metadata" or bool(choose_labels(table.table, table.column, config, None))
    except UserError:  # more than one column could tell them: of images in folders, these do
        return not any("/" in word for word in table.names)


class NamedImages:
    """Files by the words of a table: as written, with back-slashes, without an extension, below a folder beside it."""

    def __init__(self, table: Path, prefix: str | None) -> None:
        self.table, self.prefix = table, prefix
        self.bases = [table.parent / prefix if prefix else table.parent]
        self._stems: dict[Path, dict[str, Path]] = {}

    def is_file(self, word: str) -> bool:
        """Whether the word, as it is, names an image (or another file by its whole name)."""
        return self._below(self.bases[0], word) is not None

    def find(self, word: str) -> Path | None:
        """The file that a word names; None where there is none. Raises UserError where two folders have one."""
        paths = [path for base in self.bases if (path := self._below(base, word)) is not None]
        if len(paths) > 1:
            raise UserError(
                f"{self.table}: {word} lies in {paths[0].parent} and in {paths[1].parent}: say which with "
                "--data.path-prefix"
            )
        return paths[0] if paths else None

    def search(self, words: Sequence[str]) -> str | None:
        """Look below the table's folder where the first words name nothing there; returns where they are, if there."""
        some, parent = [word for word in words[:LOOKED_AT] if word], self.table.parent
        if self.prefix or not some or any(map(self.is_file, some)):
            return None
        holding = [
            folder
            for folder in data_folders(parent, DEEPEST)
            if any(self._below(folder, word) is not None for word in some)
        ]
        if not holding:
            return None
        split = split_of(self.table.stem)
        own = [
            folder for folder in holding if split and split_of(folder.relative_to(parent).parts[0]) == split
        ]
        self.bases = own or holding
        return ", ".join(f"{folder.relative_to(parent).as_posix()}/" for folder in self.bases[:5])

    def _below(self, base: Path, word: str) -> Path | None:
        if not word or "\0" in word:
            return None
        for written in dict.fromkeys((word, word.replace("\\", "/"))):
            try:
                if (base / written).is_file():
                    return base / written
            except OSError:  # a word too long for a name, say
                return None
            folder, _, stem = written.rpartition("/")
            if stem and not is_image_name(stem) and (path := self._by_stem(base / folder).get(stem)):
                return path
        return None

    def _by_stem(self, folder: Path) -> dict[str, Path]:
        """The images of a folder by their names without the ending; the first by name where two share one."""
        if folder not in self._stems:
            try:
                names = sorted((entry.name for entry in os.scandir(folder)), reverse=True)
            except OSError:
                names = []
            images = (folder / name for name in names if is_image_name(name))
            self._stems[folder] = {path.stem: path for path in images}
        return self._stems[folder]


class ImageTable:
    """One table, parsed once, and where its images lie."""

    def __init__(self, path: Path, config: DataConfig) -> None:
        self.config = config
        self.images = NamedImages(path, config.path_prefix)
        self.table = read_table(path, self.images.is_file)
        self.column = choose_path(self.table, self.images.is_file, config) if self.table.rows else 0
        self.below = self.images.search(self.names)

    @property
    def names(self) -> list[str]:
        """The cell that names the image of each row."""
        return self.table.column(self.column)

    def files(self) -> list[Path]:
        path = self.table.path
        return [path, *(self.images.find(word) or path.parent / word for word in self.names)]

    def leave_out_missing(self) -> bool:
        """Forget the rows whose image is not there any more; returns whether there are such."""
        there = [row for row, word in enumerate(self.names) if not word or self.images.find(word) is not None]
        rows, lines = self.table.rows, self.table.lines
        self.table = replace(self.table, rows=[rows[i] for i in there], lines=[lines[i] for i in there])
        return len(there) < len(rows)

    def labels(self, classes: Labels | None, like: Sequence[str] | None) -> tuple[int, ...]:
        """The columns of the classes; those of the training table (`like`), or none, in one with a header."""
        if like is None or self.table.header is None or not self.table.rows:
            return choose_labels(self.table, self.column, self.config, classes)
        there = [find_column(self.table, name) for name in like]
        return () if None in there else tuple(c for c in there if c is not None)

    def part(self, labels: Sequence[int], grouped: bool, within: str) -> Part:
        """The images of the table; `grouped`: the column or pattern of `group_by` must be there; `within`: its folder.

        Raises UserError for rows without a path or of missing files, and for labels below -1.
        """
        names, table = self.names, self.table.path
        for row, name, line in zip(self.table.rows, names, self.table.lines, strict=True):
            if not name:
                raise UserError(f"{table}, line {line}: no path in '{','.join(row)}' (accepted: path,label)")
        paths = [self.images.find(name) for name in names]
        if missing := [name for name, path in zip(names, paths, strict=True) if path is None]:
            noun = "a missing file" if len(missing) == 1 else f"{len(missing):,} missing files"
            raise UserError(
                f"{table} names {noun}: {some_of(missing, 3)} (paths are relative to the table; "
                "--data.path-prefix names a folder before them, --path-column their column)"
            )
        words = class_words(self.table, labels)
        for name, word in zip(names, words, strict=True):
            if re.fullmatch(r"-\d+", word) and word != "-1":
                raise UserError(
                    f"label '{word}' of {name} is outside the classes (accepted: names, an index from 0, or -1 for "
                    "unknown)"
                )
        groups = self._groups(grouped)
        pictures = FilePictures([path for path in paths if path is not None])
        return Part(pictures, words, [within + name for name in names], groups)

    def told(self, labels: Sequence[int], within: str) -> list[str]:
        """What was taken for what."""
        if not self.table.rows:
            return []
        below = f" (found in {self.below})" if self.below else ""
        return [f"{within}{self.table.path.name}: {about_columns(self.table, self.column, labels)}{below}"]

    def _groups(self, required: bool) -> list[str] | None:
        """The groups, where `group_by` is a column's name or number (from 0); otherwise it is a pattern.

        None where neither is there and none is `required`.
        """
        group_by = self.config.group_by
        if group_by is None:
            return None
        column, header = find_column(self.table, group_by), self.table.header
        short = column is not None and any(len(row) <= column for row in self.table.rows)
        if required and (short or (column is None and group_by.isdecimal())):
            raise UserError(f"group_by '{group_by}': not every row has such a column (numbers count from 0)")
        if column is not None:
            return self.table.column(column)
        if required and header is not None and not is_pattern(group_by):
            raise unknown("column to group by", group_by, header)
        return groups_by_pattern(group_by, self.names, required) if required or is_pattern(group_by) else None


class CsvSplits(Source):
    """A folder with train.csv and perhaps validation.csv and test.csv; or one table alone, not divided."""

    def __init__(
        self, path: Path, tables: dict[str, Path], config: DataConfig, classes: Labels | None = None
    ) -> None:
        """`classes` are those of a model that the images are opened for."""
        self.name, self.paths, self.config, self.classes = str(path), tables, config, classes
        self.folder = path if path.is_dir() else path.parent

    @cached_property
    def tables(self) -> dict[str, ImageTable]:
        return {split: ImageTable(path, self.config) for split, path in self.paths.items()}

    def leave_out_missing(self) -> bool:
        """Leave out the rows whose image is not there any more; returns whether there are such."""
        changed = [table.leave_out_missing() for table in self.tables.values()]
        return any(changed)

    def files(self) -> list[Path]:
        return [
            *names_files(self.folder),
            *(path for table in self.tables.values() for path in table.files()),
        ]

    def validates(self) -> bool:
        return "validation" in self.paths

    def read(self) -> Collection:
        """All the tables, the training's first, whose column of labels is taken in the others."""
        splits, notices = {}, []
        like: tuple[str, ...] | None = None
        for split, table in self.tables.items():
            labels = table.labels(self.classes, like)
            if like is None and table.table.header is not None:
                like = tuple(table.table.header[column] for column in labels) or None
            above = self.paths[split].parent.relative_to(self.folder).as_posix()
            within = "" if above == "." else f"{above}/"
            # A test split is not divided, so it need not have what the others are grouped by.
            part = table.part(labels, split != "test", within)
            notices += table.told(labels, within)
            if len(part):
                splits[split] = part
        return Collection(self.name, splits, names_from(self.folder), notices)
