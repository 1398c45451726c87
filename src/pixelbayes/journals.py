"""A run's journal.csv, read in one way by training, listings, pictures and reports."""

import csv
from collections.abc import Mapping
from math import isfinite, nan
from pathlib import Path

import numpy as np

JOURNAL = "journal.csv"


def read_rows(path: str | Path) -> list[dict[str, str]]:
    """Returns the rows that are whole: those that have a step; none where there is no file.

    Letters that are no UTF-8 are replaced. Raises `OSError` and `csv.Error` for what cannot be read.
    """
    return [row for row in _rows(Path(path)) if (row.get("step") or "").isdecimal()]


def read_columns(path: str | Path) -> dict[str, np.ndarray]:
    """Returns the columns of all rows as numbers, float64; what is no finite number is nan. Raises as `read_rows`."""
    rows = _rows(Path(path))
    names = [name for name in (rows[0] if rows else {}) if name]
    return {name: np.array([number(row, name, nan) for row in rows], float) for name in names}


def number(row: Mapping[str, str], name: str, otherwise: float | None = None) -> float | None:
    """Returns a value of a row; `otherwise` where it is missing or no finite number.

    >>> number({"step": "3", "seconds": ""}, "step"), number({"step": "3", "seconds": ""}, "seconds")
    (3.0, None)
    """
    try:
        value = float(row.get(name) or "nan")
    except ValueError:
        return otherwise
    return value if isfinite(value) else otherwise


def kept_row(rows: list[dict[str, str]], step: int | None = None) -> dict[str, str]:
    """Returns the row of the validation whose weights are kept, those of `step`; empty where there is none.

    Without a step it is the one of the fewest bits.
    """
    bits = [(value, row) for row in rows if (value := number(row, "validation_bits_per_dim")) is not None]
    if step is not None:
        return next((row for _, row in reversed(bits) if row["step"] == str(step)), {})
    return min(bits, key=lambda pair: pair[0])[1] if bits else {}


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", errors="replace") as file:
        names = next(csv.reader([file.readline()]), [])
        rows = (_cells(line) for line in file)  # one by one: an odd cell spoils its own row, and no other
        return [dict(zip(names, cells, strict=False)) for cells in rows if cells]


def _cells(line: str) -> list[str]:
    """The cells of one row; none where they cannot be told apart."""
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []
