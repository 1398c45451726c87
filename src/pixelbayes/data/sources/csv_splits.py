"""train.csv, validation.csv and test.csv with rows `path,label`."""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from ...errors import UserError, unknown
from ...labels import Labels
from ..collection import Collection, Part
from ..config import DataConfig
from ..decoding import SUFFIXES
from ..file_pictures import FilePictures
from ..grouping import groups_by_pattern, is_pattern
from .class_folders import SPLIT_NAMES, names_from

PATH_COLUMNS = ("path", "file", "filename", "file_name", "image", "image_path", "img", "name")
LABEL_COLUMNS = ("label", "class", "true", "target", "category")


def has_csv_splits(folder: Path) -> bool:
    """Whether the folder says its splits by CSV files: train.csv, or another that names images."""
    tables = _csv_files(folder)
    return "train" in tables or any(_names_images(table) for table in tables.values())


def _names_images(table: Path) -> bool:
    try:
        paths = read_table(table).paths
    except UserError:
        return False
    return bool(paths) and (table.parent / paths[0]).is_file()


def _csv_files(folder: Path) -> dict[str, Path]:
    return {
        split: folder / f"{name}.csv"
        for split, names in SPLIT_NAMES.items()
        for name in reversed(names)
        if (folder / f"{name}.csv").is_file()
    }


@dataclass
class Table:
    """The rows of a CSV file: paths as written, class words, and the groups if a column holds them."""

    paths: list[str]
    words: list[str]
    groups: list[str] | None


class CsvSplits:
    """A folder with train.csv and perhaps validation.csv and test.csv."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = str(folder)
        self.tables = _csv_files(folder)

    def files(self) -> list[Path]:
        images = [self.folder / path for table in self.tables.values() for path in read_table(table).paths]
        names = self.folder / "classes.txt"
        return [*self.tables.values(), *([names] if names.is_file() else []), *images]

    def validates(self) -> bool:
        return "validation" in self.tables

    def read(self, config: DataConfig, classes: Labels | None) -> Collection:
        # A test split is not divided, so it need not have what the others are grouped by.
        parts = {
            split: part_of(table, config, grouped=split != "test") for split, table in self.tables.items()
        }
        return Collection(self.name, {split: part for split, part in parts.items() if len(part)},
                          names_from(self.folder))  # fmt: skip


class CsvFile:
    """One CSV file: a set without a division."""

    def __init__(self, table: Path) -> None:
        self.table = table
        self.name = str(table)

    def files(self) -> list[Path]:
        return [self.table, *(self.table.parent / path for path in read_table(self.table).paths)]

    def validates(self) -> bool:
        return False

    def read(self, config: DataConfig, classes: Labels | None) -> Collection:
        return Collection(self.name, {"all": part_of(self.table, config)}, names_from(self.table.parent))


def part_of(table: Path, config: DataConfig, grouped: bool = True) -> Part:
    """The images that a CSV file names; `grouped`: the column or pattern of `group_by` must be there.

    Raises UserError for rows naming missing files.
    """
    rows = read_table(table, config.group_by, grouped)
    paths = [table.parent / path for path in rows.paths]
    missing = [name for name, path in zip(rows.paths, paths, strict=True) if not path.is_file()]
    if missing:
        more = f" and {len(missing) - 3:,} more" if len(missing) > 3 else ""
        noun = "a missing file" if len(missing) == 1 else f"{len(missing):,} missing files"
        raise UserError(
            f"{table} names {noun}: {', '.join(missing[:3])}{more} (paths are relative to the CSV)"
        )
    groups = rows.groups
    if groups is None and (grouped or is_pattern(config.group_by or "")):
        groups = groups_by_pattern(config.group_by, rows.paths, required=grouped)
    return Part(FilePictures(paths), rows.words, rows.paths, groups)


def read_table(table: Path, group_by: str | None = None, grouped: bool = True) -> Table:
    """Parse a CSV file with or without a header. Raises UserError for rows that are not `path,label`."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{table} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{table} cannot be read as text: {error}") from error
    if "\0" in text:
        raise UserError(f"{table} is no text: it holds null bytes")
    first = text.partition("\n")[0]
    delimiter = next((mark for mark in ",;\t" if mark in first), ",")
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise UserError(f"{table} cannot be read as CSV: {error}") from error
    rows = [[cell.strip() for cell in row] for row in lines if any(row) and not _is_comment(row, table)]
    header = rows.pop(0) if rows and _is_header(rows[0], table.parent) else None
    path_column, label_column = _columns(header)
    for number, row in enumerate(rows, start=1 if header is None else 2):
        if len(row) <= path_column or not row[path_column]:
            raise UserError(f"{table}, row {number}: no path in '{','.join(row)}' (accepted: path,label)")
    words = _whole_numbers([row[label_column] if 0 <= label_column < len(row) else "" for row in rows])
    paths = [row[path_column] for row in rows]
    for path, word in zip(paths, words, strict=True):
        if re.fullmatch(r"-\d+", word) and word != "-1":
            raise UserError(
                f"label '{word}' of {path} is outside the classes (accepted: names, an index from 0, or -1 for unknown)"
            )
    return Table(paths, words, _group_column(rows, header, group_by, grouped))


def _whole_numbers(words: list[str]) -> list[str]:
    """Labels that a table program wrote as 0.0, 1.0, -1.0, as they were meant."""
    if not all(re.fullmatch(r"-?\d+(\.0+)?|", word) for word in words):
        return words
    return [word.partition(".")[0] for word in words]


def _is_comment(row: list[str], table: Path) -> bool:
    return row[0].lstrip().startswith("#") and not (table.parent / row[0].strip()).is_file()


def _is_header(row: list[str], folder: Path) -> bool:
    """A first row without an image's name; 'missing.png,0' is a row that is wrong, not a header."""
    return not any(
        Path(cell).suffix.lower() in SUFFIXES or (cell and (folder / cell).is_file()) for cell in row
    )


def _columns(header: list[str] | None) -> tuple[int, int]:
    """Where path and label stand; label -1 where a header has none."""
    if header is None:
        return 0, 1
    lower = [cell.lower() for cell in header]
    path = next((lower.index(name) for name in PATH_COLUMNS if name in lower), 0)
    other = next((column for column in range(len(lower)) if column != path), -1)
    known = next((lower.index(name) for name in LABEL_COLUMNS if name in lower), other)
    return path, known


def _group_column(
    rows: list[list[str]], header: list[str] | None, group_by: str | None, required: bool
) -> list[str] | None:
    """The groups, where `group_by` is a column's name or number (from 0); otherwise it is a pattern.

    None, too, for a column that is not there and not `required`.
    """
    if group_by is None:
        return None
    if header is not None and group_by in header:
        column = header.index(group_by)
    elif group_by.isdecimal():
        column = int(group_by)
    elif header is not None and not is_pattern(group_by) and required:
        raise unknown("column to group by", group_by, header)
    else:
        return None
    if any(len(row) <= column for row in rows):
        if not required:
            return None
        raise UserError(f"group_by '{group_by}': not every row has such a column (numbers count from 0)")
    return [row[column] for row in rows]
