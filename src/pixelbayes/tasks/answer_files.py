"""The files that a classification writes: a CSV that grows, and the logits at the end."""

import csv
import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from ..files import whole
from ..model import AutoregressiveImageModel
from .answer_table import AnswerTable
from .classify import from_log_likelihoods
from .detect import Judge
from .tally import Tally
from .unfinished import Unfinished, beside

LEFT_OUT = torch.inf
"""In place of the likelihoods of an image that cannot be read; log p itself is never above 0."""
AGAIN = 4096
"""Answers at a time that are written again where a broken run goes on."""


@dataclass(frozen=True)
class Outputs:
    """The files of a classification. `resume` goes on with a broken one; `judge` doubts foreign images."""

    csv: Path | None = None
    logits: Path | None = None
    table: AnswerTable = field(default_factory=AnswerTable)
    resume: bool = False
    judge: Judge | None = None

    @property
    def first(self) -> Path | None:
        """The file beside which lies what was found so far."""
        return self.csv or self.logits


class Writer:
    """Answers on their way to the CSV and the tally."""

    def __init__(
        self,
        model: AutoregressiveImageModel,
        paths: Sequence[str],
        labels: Tensor,
        outputs: Outputs,
        prior: Sequence[float] | None,
        counted: float,
    ) -> None:
        self.model, self.paths, self.labels = model, paths, labels.cpu()
        self.outputs, self.prior, self.counted = outputs, prior, counted
        self.tally = Tally(len(model.classes))
        self._file: io.TextIOWrapper | None = None
        self._place = outputs.csv

    def begin(self, replaces: bool) -> None:
        """Choose where the CSV grows: beside a file that it is to replace, else in its place."""
        csv = self.outputs.csv
        if csv is not None:
            part = csv.with_name(f"{csv.name}.part")
            self._place = part if part.exists() or (replaces and csv.exists()) else csv
            if self._place == part:  # so that a run that goes on finds it
                part.parent.mkdir(parents=True, exist_ok=True)
                part.touch()

    def add(self, rows: range, numbers: Tensor) -> None:
        """The answers to the images `rows`, from what `in_order` yields."""
        lost, judge = unread(numbers), self.outputs.judge
        self.tally.left_out += [
            self.paths[row] for row, gone in zip(rows, lost.tolist(), strict=True) if gone
        ]
        read = [row for row, gone in zip(rows, lost.tolist(), strict=True) if not gone]
        nats = numbers[~lost] if judge is None else numbers[~lost, :-1]
        answer = from_log_likelihoods(self.model, nats, self.prior, self.counted)
        if judge is not None:
            answer = judge.of(answer, numbers[~lost, -1])
        paths, labels = [self.paths[row] for row in read], self.labels[read]
        self.tally.add(answer, paths, labels)
        self._write("".join(self.outputs.table.lines(answer, paths, labels)))

    def finish(self, unfinished: Unfinished) -> None:
        """The last row, the CSV in its place, and the logits, whole or not at all."""
        self._write(self.outputs.table.tail())
        if self.outputs.logits is not None:
            width = unfinished.width - (self.outputs.judge is not None)
            _write_logits(self.outputs.logits, unfinished, self.tally.answered, width)
        csv = self.outputs.csv
        if csv is not None and self._file is not None and self._place is not None:
            self._file.close()
            if self._place != csv:
                self._place.replace(csv)

    def _write(self, text: str) -> None:
        if self._place is None:
            return
        try:
            if self._file is None:
                self._file = self._place.open("w", newline="", encoding="utf-8")
                self._file.write(self.outputs.table.head(self.model.classes, self.outputs.judge is not None))
            self._file.write(text)
            self._file.flush()
        except OSError as error:
            raise UserError(f"cannot write {self._place}: {error.strerror or error}") from error

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with suppress(OSError):  # a full disk was told of already
                self._file.close()
        elif self._place is not None and self._place != self.outputs.csv:
            self._place.unlink(missing_ok=True)


def _write_logits(path: Path, unfinished: Unfinished, count: int, width: int) -> None:
    """log p(x | c), float64 [count, width], as a NumPy file, copied in blocks."""
    with whole(path) as temporary, temporary.open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (count, width)}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, unfinished.done, AGAIN):
            numbers = unfinished.read(start, min(start + AGAIN, unfinished.done))
            file.write(numbers[~unread(numbers), :width].numpy().tobytes())


def unread(numbers: Tensor) -> Tensor:
    """Which images could not be read."""
    return (numbers == LEFT_OUT).all(1)


def begun(outputs: Outputs) -> bool:
    """Whether there is a broken classification to go on with."""
    return outputs.first is not None and beside(outputs.first).exists()


def rows_in(outputs: Outputs) -> int:
    """How many images the finished files answer."""
    if outputs.csv is not None:
        with outputs.csv.open(newline="", encoding="utf-8", errors="replace") as file:
            rows = sum(1 for _ in csv.reader(file))
        return rows - outputs.table.header - bool(outputs.table.last_row)
    return len(np.load(outputs.logits, mmap_mode="r")) if outputs.logits is not None else 0
