"""Which columns of a table hold the images and their classes."""

import re
from collections.abc import Callable, Iterable, Sequence

from ...errors import UserError, unknown
from ...labels import Labels
from ..config import DataConfig
from ..formats import is_image_name
from ..words import UNKNOWN_WORDS
from .tables import LOOKED_AT, Table

PATHS = (
    "path", "filepath", "file", "filename", "imagepath", "image", "imagefile", "imagefilename", "imagename", "imageid",
    "img", "imgpath", "imgfile", "imgname", "imgid", "picture", "photo", "name", "idcode", "id",
)  # fmt: skip
LABELS = (
    "label", "labels", "labelname", "class", "classname", "target", "category", "categoryname", "species", "true",
    "truelabel", "groundtruth", "gt", "diagnosis", "dx", "breed", "y", "labelid", "classid", "targetid", "categoryid",
    "classlabel", "imagelabel", "finelabel",
)  # fmt: skip
ROW_NUMBERS = re.compile(r"(unnamed\d*|index|idx|level0|rowid|row|id)?")
MANY = 10
"""Rows from which a column with another value in each is no class."""


def class_words(table: Table, labels: Sequence[int]) -> list[str]:
    """The class of each row, '' where it has none: by one column, or by several of 0 and 1."""
    if len(labels) == 1:
        return whole_numbers(table.column(labels[0]))
    names = [table.header[c] if table.header else str(c) for c in labels]
    hot = zip(*(table.column(column) for column in labels), strict=True)
    ones = [[name for name, cell in zip(names, row, strict=True) if _is(cell, 1)] for row in hot]
    return [row[0] if row else "" for row in ones] or [""] * len(table.rows)


def about_columns(table: Table, path: int, labels: Sequence[int]) -> str:
    """Which columns were taken, for the user."""
    source = f"images from column {table.name(path)}"
    if not labels:
        return f"{source}, no column of labels"
    names = ", ".join(table.name(column) for column in labels[:6]) + (", ..." if len(labels) > 6 else "")
    what = "column" if len(labels) == 1 else "the columns of 0 and 1"
    return f"{source}, classes from {what} {names}"


def choose_path(table: Table, is_file: Callable[[str], bool], config: DataConfig) -> int:
    """The one asked for; else the one with the name of such a column, if its cells name images; else any that does."""
    if config.path_column is not None:
        return _required(table, config.path_column)

    def holds(column: int) -> bool:
        cells = [cell for cell in table.column(column)[:LOOKED_AT] if cell]
        return any(is_image_name(cell) or is_file(cell) for cell in cells)

    holding = [column for column in range(table.width) if holds(column)]
    return next(iter([*_called(table, holding or range(table.width), PATHS), *holding]), 0)


def choose_labels(table: Table, path: int, config: DataConfig, classes: Labels | None) -> tuple[int, ...]:
    """The column of the classes, or several of 0 and 1. Raises UserError, listing them, where more than one could be.

    `classes` are those of a model that the table's images are opened for: then a table without labels will do.
    """
    if config.label_column is not None:
        return _asked(table, config.label_column)
    grouped = find_column(table, config.group_by) if config.group_by else None
    others = [c for c in range(table.width) if c not in (path, grouped) and not _is_row_number(table, c)]
    if table.header is None and len(others) == 1:  # rows path,label
        return tuple(others)
    if (plain := _plain_labels(table, others)) is not None:
        return (plain,)
    if hot := _one_hot(table, others):
        return hot
    rest = [column for column in others if _may_be_class(table.column(column))]
    if classes is not None:
        known = {*classes.names, *UNKNOWN_WORDS}
        words = {column: set(whole_numbers(table.column(column))) for column in rest}
        rest = others = [c for c in rest if words[c] <= known and words[c] & set(classes.names)]
    if len(rest) > 1 or (others and not rest):
        raise _several(table, path, rest or others)
    return tuple(rest)


def find_column(table: Table, word: str) -> int | None:
    """A column by its name, or by its number from 0; None where there is none."""
    header = table.header or []
    if word in header:
        return header.index(word)
    lower = [name.lower() for name in header]
    if word.lower() in lower:
        return lower.index(word.lower())
    return int(word) if word.isdecimal() and int(word) < table.width else None


def whole_numbers(words: list[str]) -> list[str]:
    """Labels that a table program wrote as 0.0, 1.0, -1.0, as they were meant."""
    if not all(re.fullmatch(r"-?\d+(\.0+)?|", word) for word in words):
        return words
    return [word.partition(".")[0] for word in words]


def _required(table: Table, word: str) -> int:
    column = find_column(table, word)
    if column is None:
        raise unknown(f"column of {table.path}:", word, table.header or map(str, range(table.width)))
    return column


def _asked(table: Table, words: str) -> tuple[int, ...]:
    """`--label-column`: a name, several of 0 and 1 with commas, or 'none'."""
    if find_column(table, words) is not None or (words != "none" and "," not in words):
        return (_required(table, words),)
    if words == "none":
        return ()
    columns = [_required(table, word.strip()) for word in words.split(",") if word.strip()]
    hot = _one_hot(table, columns)
    if set(hot) != set(columns):
        raise UserError(f"{table.path}: the columns {words} are not 0 and 1 with a single 1 in each row")
    return hot


def _plainly(table: Table, column: int) -> str:
    """A column's name in small letters and figures alone: 'Class ID' is 'classid'."""
    header = table.header or []
    return re.sub(r"[\W_]", "", header[column].lower()) if column < len(header) else ""


def _called(table: Table, columns: Iterable[int], names: Sequence[str]) -> list[int]:
    """Those of the columns that have one of the names, the first name first."""
    plain = {column: _plainly(table, column) for column in columns}
    return sorted((c for c in plain if plain[c] in names), key=lambda c: names.index(plain[c]))


def _is_row_number(table: Table, column: int) -> bool:
    """The index that pandas writes: a column without a name, or 'index', of numbers that all differ."""
    name, cells = _plainly(table, column), table.column(column)
    if table.header is None or not ROW_NUMBERS.fullmatch(name):
        return False
    numbers = len(set(cells)) == len(cells) and all(cell.isdecimal() for cell in cells)
    return not name or name.startswith("unnamed") or numbers


def _plain_labels(table: Table, others: Sequence[int]) -> int | None:
    """The column that is called as labels are. Of two that say the same (an index and a name), the one of names."""
    position = any(_plainly(table, column) == "x" for column in others)  # x and y are a place in the image
    named = [c for c in _called(table, others, LABELS) if not (position and _plainly(table, c) == "y")]
    if not named:
        return None
    pairs = set(zip(*(table.column(column) for column in named), strict=True))
    if any(len(pairs) != len(set(table.column(column))) for column in named):
        raise _several(table, None, named)
    words = [c for c in named if not all(re.fullmatch(r"[-+.\d]*", cell) for cell in table.column(c))]
    return next(iter([*words, *named]))


def _one_hot(table: Table, others: Sequence[int]) -> tuple[int, ...]:
    """The columns of 0 and 1 of which each row has a single 1, if there are two or more."""
    cells = {column: table.column(column) for column in others}
    hot = [c for c in others if table.rows and all(_is(cell, 0) or _is(cell, 1) for cell in cells[c])]
    ones = [sum(_is(cells[column][row], 1) for column in hot) for row in range(len(table.rows))]
    return tuple(hot) if len(hot) > 1 and all(count == 1 for count in ones) else ()


def _is(cell: str, number: int) -> bool:
    return re.fullmatch(rf"{number}(\.0*)?", cell) is not None or cell.lower() == str(bool(number)).lower()


def _may_be_class(cells: list[str]) -> bool:
    """Not where each row has another value, nor where there are fractions."""
    if len(cells) >= MANY and len(set(cells)) == len(cells):
        return False
    return not any(re.fullmatch(r"-?\d*\.\d*[1-9]\d*(e-?\d+)?", cell, re.IGNORECASE) for cell in cells)


def _several(table: Table, path: int | None, columns: Sequence[int]) -> UserError:
    names = ", ".join(table.name(column) for column in columns)
    what = "which column is the label?" if len(columns) > 1 else "is this column the label?"
    source = "" if path is None else f"; the images are named by {table.name(path)} (--path-column)"
    return UserError(
        f"{table.path}: {what} {names} (say --label-column NAME, or 'none' for images without labels{source})"
    )
