"""Answers as a CSV file, in the form that its reader asks for."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

from torch import Tensor

from ..errors import UserError, unknown
from ..labels import UNKNOWN, Labels

if TYPE_CHECKING:
    from .classify import Classification

HEADER = ("path", "true", "predicted", "name", "probability", "runner_up", "log_likelihood_nats")

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A text that begins so may be run as a formula by a program for tables."""

NONE_OF_THESE = "none of these"
"""The answer -1 of a classification that may reject an image."""

PathForm = Literal["given", "name"]
LabelForm = Literal["index", "name"]


@dataclass(frozen=True)
class AnswerTable:
    """Which columns a row has, and how it says them.

    columns: the names of two columns, an image's path and its class, that are the whole row (a challenge's hand-in
    form); None for all of `HEADER`. header: whether the first line names the columns. last_row: the cells of one more
    row. paths: 'given', as the table or the command line names the images (in a folder, relative to it), or 'name', the
    file's name alone. label: classes by 'index' or by 'name'. posterior: a column more for each class, its calibrated
    probability, and one for 'none of these' where a detector was asked. safe: no text is a formula for a
    program for tables.
    """

    columns: tuple[str, str] | None = None
    header: bool = True
    last_row: tuple[str, ...] = ()
    paths: PathForm = "given"
    label: LabelForm = "index"
    posterior: bool = False
    safe: bool = False

    def __post_init__(self) -> None:
        for kind, value, known in (
            ("form of paths", self.paths, ("given", "name")),
            ("form of labels", self.label, ("index", "name")),
        ):
            if value not in known:
                raise unknown(kind, value, known)

    def head(self, classes: Labels, doubted: bool = False) -> str:
        """The line that names the columns; empty where there is none. `doubted`: the answers are a `Rejection`."""
        if not self.header:
            return ""
        names = [*classes, NONE_OF_THESE] if doubted else classes
        more = [f"posterior_{name}" for name in names] if self.posterior else []
        return self.line((*(self.columns or HEADER), *more))

    def lines(
        self, answer: "Classification", paths: Sequence[str], labels: Tensor | None = None
    ) -> Iterator[str]:
        """A line for each image, in their order; `labels` [N] are the true classes, -1 where unknown."""
        return map(self.line, self.cells(answer, paths, labels))

    def cells(
        self, answer: "Classification", paths: Sequence[str], labels: Tensor | None = None
    ) -> Iterator[tuple[str, ...]]:
        """The cells of each image's line."""
        known = labels.tolist() if labels is not None else [UNKNOWN] * len(answer.posterior)
        likelihood = answer.log_likelihoods.gather(1, answer.predicted[:, None].clamp_min(0))[:, 0]
        likelihood = likelihood.where(answer.predicted >= 0, answer.log_likelihoods.amax(1))
        columns = (answer.predicted, answer.probability, answer.runner_up, likelihood)
        numbers = zip(*(column.tolist() for column in columns), strict=True)
        said = (
            [*answer.classes]
            if self.label == "name"
            else [str(index) for index in range(len(answer.classes))]
        )
        answers = [*said, NONE_OF_THESE if self.label == "name" else str(UNKNOWN)]  # the last is of -1
        names = [*answer.classes, NONE_OF_THESE]
        said.append("")  # of UNKNOWN, -1
        posteriors = answer.shares.tolist() if self.posterior else [[]] * len(known)
        for path, true, (first, chance, second, nats), each in zip(
            paths, known, numbers, posteriors, strict=True
        ):
            name = path if self.paths == "given" else PurePath(path).name
            rest = (
                said[true],
                answers[first],
                names[first],
                f"{chance:.9g}",
                said[second],
                f"{nats:.6f}",
            )
            row = (name, *rest) if self.columns is None else (name, answers[first])
            yield (*row, *(f"{chance:.9g}" for chance in each))

    def tail(self) -> str:
        """The row after all images; empty where there is none."""
        return self.line(self.last_row) if self.last_row else ""

    def line(self, cells: Iterable[str]) -> str:
        """One line of CSV."""
        return csv_line(map(harmless, cells) if self.safe else cells)


def csv_line(cells: Iterable[str]) -> str:
    r"""Cells as one line of CSV, quoted where they hold a comma, a quote or the end of a line.

    >>> csv_line(["a,b", "c"])
    '"a,b",c\n'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)  # so that both marks within a cell are quoted
    return text.getvalue()[:-2] + "\n"


def harmless(cell: str) -> str:
    """A text that would be a formula, behind an apostrophe; numbers stay numbers.

    >>> harmless("=1+1"), harmless("-12.5"), harmless("cat.png")
    ("'=1+1", '-12.5', 'cat.png')
    """
    if not cell.startswith(FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def read_cells(text: str, option: str, count: int | None = None) -> tuple[str, ...]:
    """The cells of a row that the user writes, with CSV's quotes. Raises UserError where there are not `count`.

    >>> read_cells("id,label", "--columns", 2)
    ('id', 'label')
    """
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        raise UserError(f"{option} '{text}' is no row of CSV ({error})") from error
    cells = tuple(cell.strip() for cell in rows[0]) if rows else ()
    if not any(cells) or (count is not None and (len(cells) != count or not all(cells))):
        form = f"{count} names with a comma between them" if count else "cells with commas between them"
        raise UserError(f"{option} takes {form}, not '{text}'")
    return cells
