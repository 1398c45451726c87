"""train.csv, validation.csv and test.csv with a row for each image, or one such table."""

import re
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from ...errors import UserError, unknown
from ...labels import Labels
from ..collection import Collection, Part
from ..config import DataConfig
from ..file_pictures import FilePictures
from ..grouping import groups_by_pattern, is_pattern
from ..split_names import splits_of
from .class_folders import names_from
from .columns import Columns, choose_labels, choose_path, find_column
from .places import Places
from .tables import LOOKED_AT, TABLES, read_table


def split_tables(folder: Path) -> dict[str, Path]:
    """The tables in a folder that say its splits; else Hugging Face's metadata.csv, in it or in its splits."""
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in TABLES and path.is_file()]
    named = splits_of(path.stem for path in files)
    found = {named[path.stem]: path for path in reversed(files) if path.stem in named}
    if found:
        return {split: found[split] for split in ("train", "validation", "test") if split in found}
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
    if not any(table.places.find(word) is not None for word in table.words[:LOOKED_AT]):
        return False
    try:
        return path.stem != "metadata" or bool(choose_labels(table.table, table.path, config, None))
    except UserError:  # more than one column could tell them: of images in folders, these do
        return not any("/" in word for word in table.words)


class ImageTable:
    """One table, parsed once, and where its images lie."""

    def __init__(self, path: Path, config: DataConfig) -> None:
        self.places = Places(path, config.path_prefix)
        self.table = read_table(path, self.places.is_file)
        self.left_out: list[str] = []
        self.path = choose_path(self.table, self.places, config) if self.table.rows else 0
        self.words = self.table.column(self.path)
        self.found_in = self.places.search(self.words)

    def files(self) -> list[Path]:
        folder = self.table.place.parent
        return [self.table.place, *(self.places.find(word) or folder / word for word in self.words)]

    def leave_out_missing(self) -> None:
        """Forget the rows whose image is not there any more."""
        there = [not word or self.places.find(word) is not None for word in self.words]
        self.left_out = [word for word, found in zip(self.words, there, strict=True) if not found]
        rows = [row for row, found in zip(self.table.rows, there, strict=True) if found]
        lines = [line for line, found in zip(self.table.lines, there, strict=True) if found]
        self.table = replace(self.table, rows=rows, lines=lines)
        self.words = self.table.column(self.path)

    def columns(
        self, config: DataConfig, classes: Labels | None, like: "tuple[str, ...] | None" = None
    ) -> Columns:
        """Those of the images and the classes; those of the training table (`like`), or none, in one with a header."""
        if like is None or self.table.header is None or not self.table.rows:
            return Columns(self.path, choose_labels(self.table, self.path, config, classes))
        there = [find_column(self.table, name) for name in like]
        return Columns(self.path, () if None in there else tuple(c for c in there if c is not None))

    def part(self, columns: Columns, config: DataConfig, grouped: bool = True, within: str = "") -> Part:
        """The images of the table; `grouped`: the column or pattern of `group_by` must be there.

        Raises UserError for rows without a path or of missing files, and for labels below -1.
        """
        place, rows = self.table.place, self.table.rows
        for row, word, line in zip(rows, self.words, self.table.lines, strict=True):
            if not word:
                raise UserError(f"{place}, line {line}: no path in '{','.join(row)}' (accepted: path,label)")
        paths = [self.places.find(word) for word in self.words]
        _refuse_missing(place, [word for word, path in zip(self.words, paths, strict=True) if path is None])
        words = columns.words(self.table)
        for name, word in zip(self.words, words, strict=True):
            if re.fullmatch(r"-\d+", word) and word != "-1":
                raise UserError(
                    f"label '{word}' of {name} is outside the classes (accepted: names, an index from 0, or -1 for "
                    "unknown)"
                )
        groups = self._groups(config.group_by, grouped)
        if groups is None and (grouped or is_pattern(config.group_by or "")):
            groups = groups_by_pattern(config.group_by, self.words, required=grouped)
        names = [within + word for word in self.words]
        return Part(FilePictures([path for path in paths if path is not None]), words, names, groups)

    def told(self, columns: Columns, within: str) -> list[str]:
        """What was taken for what."""
        place = f" (found in {self.found_in})" if self.found_in else ""
        return [columns.told(self.table, within + self.table.place.name) + place] if self.table.rows else []

    def _groups(self, group_by: str | None, required: bool) -> list[str] | None:
        """The groups, where `group_by` is a column's name or number (from 0); otherwise it is a pattern.

        None, too, for a column that is not there and not `required`.
        """
        if group_by is None:
            return None
        column = find_column(self.table, group_by)
        header = self.table.header
        if column is None and group_by.isdecimal() and required:
            raise UserError(f"group_by '{group_by}': not every row has such a column (numbers count from 0)")
        if column is None and header is not None and not is_pattern(group_by) and required:
            raise unknown("column to group by", group_by, header)
        if column is not None and required and any(len(row) <= column for row in self.table.rows):
            raise UserError(f"group_by '{group_by}': not every row has such a column (numbers count from 0)")
        return None if column is None else self.table.column(column)


def _refuse_missing(table: Path, missing: list[str]) -> None:
    if missing:
        more = f" and {len(missing) - 3:,} more" if len(missing) > 3 else ""
        noun = "a missing file" if len(missing) == 1 else f"{len(missing):,} missing files"
        raise UserError(
            f"{table} names {noun}: {', '.join(missing[:3])}{more} (paths are relative to the table; "
            "--data.path-prefix names a folder before them, --path-column their column)"
        )


class CsvSplits:
    """A folder with train.csv and perhaps validation.csv and test.csv; or one table alone, not divided."""

    def __init__(self, place: Path, tables: dict[str, Path], config: DataConfig) -> None:
        self.place = place
        self.name = str(place)
        self.paths = tables
        self.config = config

    @cached_property
    def tables(self) -> dict[str, ImageTable]:
        return {split: ImageTable(path, self.config) for split, path in self.paths.items()}

    @property
    def folder(self) -> Path:
        return self.place if self.place.is_dir() else self.place.parent

    def leave_out_missing(self) -> bool:
        """Leave out the rows whose image is not there any more; whether there are such."""
        for table in self.tables.values():
            table.leave_out_missing()
        return any(table.left_out for table in self.tables.values())

    def files(self) -> list[Path]:
        names = self.folder / "classes.txt"
        images = [path for table in self.tables.values() for path in table.files()]
        return [*([names] if names.is_file() else []), *images]

    def validates(self) -> bool:
        return "validation" in self.paths

    def read(self, config: DataConfig, classes: Labels | None) -> Collection:
        """All the tables, the training's first, whose column of labels is taken in the others."""
        splits, notices = {}, []
        like: tuple[str, ...] | None = None
        for split, table in self.tables.items():
            columns = table.columns(config, classes, like)
            if like is None and table.table.header is not None:
                like = tuple(table.table.header[column] for column in columns.labels) or None
            # A test split is not divided, so it need not have what the others are grouped by.
            above = self.paths[split].parent.relative_to(self.folder).as_posix()
            within = "" if above == "." else f"{above}/"
            part = table.part(columns, config, split != "test", within)
            notices += table.told(columns, within)
            if len(part):
                splits[split] = part
        return Collection(self.name, splits, names_from(self.folder), notices)
