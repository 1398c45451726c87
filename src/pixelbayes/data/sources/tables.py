"""A table in a text file (.csv, .tsv, .jsonl) -> its header and rows."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ...errors import UserError
from ..formats import is_image_name

TABLES = (".csv", ".tsv", ".jsonl")
DELIMITERS = {".csv": ",\t;|", ".tsv": "\t,;|"}
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
"""How text in UTF-16 begins, as table programs write it."""
LOOKED_AT = 50
"""Rows from which the delimiter, the header and the folder of the images are found."""


@dataclass(frozen=True)
class Table:
    """The rows of a table, cells stripped; `lines` are the numbers of the rows' lines in the file."""

    path: Path
    header: list[str] | None
    rows: list[list[str]]
    lines: list[int]

    @property
    def width(self) -> int:
        return max([len(self.header or ()), *map(len, self.rows)], default=0)

    def name(self, column: int) -> str:
        """A column as it is told: by its name, else by its number."""
        named = self.header is not None and column < len(self.header) and self.header[column]
        return f"'{self.header[column]}'" if named and self.header else str(column)

    def column(self, column: int) -> list[str]:
        """The cells of a column, '' where a row is too short."""
        return [row[column] if column < len(row) else "" for row in self.rows]


def read_table(table: Path, is_file: Callable[[str], bool]) -> Table:
    """Read a table with or without a header; `is_file`: whether a cell names an image that is there.

    Blank lines and lines that begin with '#' are passed over. Raises UserError for what is no table.
    """
    text = _text(table)
    if table.suffix.lower() == ".jsonl":
        return _objects(text, table)
    rows, lines = _parsed(text, table, is_file)
    header = None
    if rows and not any(is_image_name(cell) or is_file(cell) for cell in rows[0]):
        header, rows, lines = rows[0], rows[1:], lines[1:]
    return Table(table, header, rows, lines)


def _text(table: Path) -> str:
    try:
        content = table.read_bytes()
        text = content.decode("utf-16" if content.startswith(UTF_16_MARKS) else "utf-8-sig")
    except OSError as error:
        raise UserError(f"{table} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{table} cannot be read as text: save it as UTF-8 ({error})") from error
    if "\0" in text:
        raise UserError(f"{table} is no text: it holds null bytes")
    return text


def text_lines(path: Path) -> list[str]:
    """The lines of a text in UTF-8. Raises UserError where it is none."""
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as text: {error}") from error


def _parsed(text: str, table: Path, is_file: Callable[[str], bool]) -> tuple[list[list[str]], list[int]]:
    mark = _delimiter(text, table)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, skipinitialspace=mark != "\t")
    rows, lines = [], []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells) and not (cells[0].startswith("#") and not is_file(cells[0])):
                rows.append(cells)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise UserError(f"{table} cannot be read as CSV: {error}") from error
    return rows, lines


def _delimiter(text: str, table: Path) -> str:
    """The mark that cuts most of the first rows alike, and images' names out of them whole."""

    def score(mark: str) -> tuple[float, int]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
        try:
            rows = [row for row in islice(reader, LOOKED_AT) if any(row) and not row[0].startswith("#")]
        except csv.Error:
            return -1.0, 0
        width, alike = Counter(map(len, rows)).most_common(1)[0] if rows else (1, 0)
        named = sum(any(is_image_name(cell.strip()) for cell in row) for row in rows)
        return ((alike + named) / len(rows) if width > 1 else 0.0), width

    marks = DELIMITERS.get(table.suffix.lower(), DELIMITERS[".csv"])
    return max(marks, key=score)


def _objects(text: str, table: Path) -> Table:
    """One JSON object a line; what is no text or number in them (boxes, say) is no column."""
    objects: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            objects[number] = json.loads(line)
        except ValueError as error:
            raise UserError(f"{table}, line {number} is no JSON: {error}") from error
        if not isinstance(objects[number], dict):
            raise UserError(f"{table}, line {number} is no JSON object")
    keys = dict.fromkeys(key for row in objects.values() for key, value in row.items() if _is_plain(value))
    rows = [[_cell(row.get(key)) for key in keys] for row in objects.values()]
    return Table(table, list(keys), rows, list(objects))


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _cell(value: Any) -> str:
    return "" if value is None or not _is_plain(value) else str(value).strip()
