"""What several commands share when they check words and show answers."""

import os
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Protocol

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from ..errors import UserError, check_name, printable
from ..folders import refuse_unwritable

WIDTH = 80
"""Columns that a table has where nobody says how many there are."""
NAMES = 36  # columns that names may take unbroken


def show(table: Table) -> None:
    """Print a table on stdout, for the terminal's width; where it has no room for all names and numbers, wider: a
    broken line is better than a number that is cut. Names are no markup."""
    console = Console(markup=False, emoji=False)
    asked = console.width if console.is_terminal or os.environ.get("COLUMNS") else WIDTH
    least = Measurement.get(console, console.options.update(width=10_000), table).minimum
    Console(markup=False, emoji=False, width=max(asked, least)).print(table)


def add_names(table: Table, heading: str, names: Sequence[str]) -> None:
    """A column of names, which are not broken unless one is very long."""
    widest = max(map(cell_len, names), default=0)
    most = NAMES if widest > NAMES else None
    table.add_column(
        heading, overflow="fold", no_wrap=most is None, min_width=min(widest, NAMES), max_width=most
    )


def check_positive(value: float | None, option: str) -> None:
    if value is not None and not 0 < value < inf:
        raise UserError(f"{option} must be above 0, not {value}")


def check_seed(value: int | None) -> None:
    if value is not None and value < 0:
        raise UserError(f"--seed must be 0 or more, not {value}")


def default_out(name: str) -> Path:
    """runs/NAME-001, or the next number that is free."""
    from ..folders import next_run

    return next_run(name)


def refuse_existing(path: Path | None, overwrite: bool) -> None:
    """A file that exists is not written over unasked, a folder never; and a place that cannot be written is found
    before the work."""
    if path is None:
        return
    check_name(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder, not a file to write")
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists already; choose another name or give --overwrite")
    refuse_unwritable(path)


def confusion_table(matrix: Sequence[Sequence[int]], names: Sequence[str], most: int = 20) -> Table:
    """Rows are the true classes, columns the predicted ones; at most `most` classes are shown."""
    table = plain_table("true class (rows), predicted class (columns)")
    table.add_column("")
    for name in names[:most]:
        table.add_column(printable(name), justify="right")
    for name, row in list(zip(names, matrix, strict=True))[:most]:
        table.add_row(printable(name), *(str(count) for count in list(row)[:most]))
    if len(names) > most:
        table.caption = f"the first {most} of {len(names)} classes"
    return table


class Shares(Protocol):
    """What a line of scores tells: of `measure.Scores`, or of a tally."""

    @property
    def accuracy(self) -> float: ...

    @property
    def balanced_accuracy(self) -> float: ...

    @property
    def macro_f1(self) -> float: ...


def score_line(scores: Shares) -> str:
    shares = f"accuracy {scores.accuracy:.2%}, balanced accuracy {scores.balanced_accuracy:.2%}"
    return f"{shares}, macro F1 {scores.macro_f1:.4f}"


def plain_table(title: str, *columns: str) -> Table:
    """A table of words, without a grid."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def number(value: float | None, form: str) -> str:
    """A number in a table; nothing where it is not known."""
    return "" if value is None else format(value, form)
