"""Classify any number of images in bounded memory: answers are written as they come, and a broken run goes on."""

import csv
import io
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..allocation import keep_freed_memory
from ..distributed import ALONE, Shard
from ..errors import UserError
from ..files import whole
from ..likelihood import (
    ImageSource,
    Question,
    answers_an_image,
    chunk_starts,
    images_at_once,
    log_likelihoods,
    pairs_at_once,
)
from ..model import AutoregressiveImageModel
from ..progress import say, show_progress, spell_seconds
from .answer_table import AnswerTable
from .classify import Classification, counted_share, from_log_likelihoods
from .detect import Judge
from .unfinished import Unfinished, beside

LEFT_OUT = torch.inf
"""In place of the likelihoods of an image that cannot be read; log p itself is never above 0."""
SHOWN = 10
"""Answers that are kept to be shown."""
SAMPLE = 64
"""Images whose pixels tell whether the images are still the same."""
COMPARED = 100
"""Images on which arithmetics are compared."""
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


@dataclass
class Tally:
    """What is told of the answers at the end, in memory that does not grow with them."""

    classes: int
    confusion: np.ndarray = field(init=False)
    """Images of known class [K, K]: a row for each true class, a column for each predicted one."""
    unknown: np.ndarray = field(init=False)
    """Predictions [K] of images of unknown class."""
    left_out: list[str] = field(default_factory=list)
    """Images that could not be read."""
    none: int = 0
    """Answers 'none of these', which are in no other count."""
    first: list[tuple[str, ...]] = field(default_factory=list)
    """The rows of the first few."""

    def __post_init__(self) -> None:
        self.confusion = np.zeros((self.classes, self.classes), np.int64)
        self.unknown = np.zeros(self.classes, np.int64)

    def add(self, answer: Classification, paths: Sequence[str], labels: Tensor) -> None:
        predicted, known = answer.predicted.numpy(), (labels >= 0).numpy()
        named = predicted >= 0
        np.add.at(self.confusion, (labels.numpy()[known & named], predicted[known & named]), 1)
        np.add.at(self.unknown, predicted[~known & named], 1)
        self.none += int((~named).sum())
        if len(self.first) <= SHOWN:
            self.first += islice(answer.rows(paths, labels), SHOWN + 1)

    @property
    def known(self) -> int:
        """Answered images of known class."""
        return int(self.confusion.sum())

    @property
    def answered(self) -> int:
        return self.known + int(self.unknown.sum()) + self.none

    @property
    def accuracy(self) -> float:
        return float(self.confusion.trace() / self.known)

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall over the classes that occur."""
        total = self.confusion.sum(1)
        return float((self.confusion.diagonal()[total > 0] / total[total > 0]).mean())

    @property
    def macro_f1(self) -> float:
        """Mean F1 over the classes that occur or are predicted."""
        total = self.confusion.sum(0) + self.confusion.sum(1)
        return float((2 * self.confusion.diagonal()[total > 0] / total[total > 0]).mean())


def classify_to_files(
    model: AutoregressiveImageModel,
    levels: ImageSource | Tensor,
    paths: Sequence[str],
    labels: Tensor,
    question: Question,
    outputs: Outputs,
    prior: Sequence[float] | None = None,
    shard: Shard = ALONE,
) -> Tally:
    """Classify images `levels` of names `paths` and labels [N] (-1 unknown), and write the answers as they come.

    The CSV grows where it will lie, or beside a file that it replaces at the end; the logits are written at the end.
    What was found so far lies in a hidden file beside them until all is done, so that `outputs.resume` can go on. With
    `shard`, several processes take some chunks each and the first writes; the files are those of one process.
    Raises UserError naming the first image that has no likelihood or cannot be read; earlier answers are kept.
    """
    keep_freed_memory()
    width = answers_an_image(model, question) + (outputs.judge is not None)
    writer = _Writer(model, levels, paths, labels, outputs, prior, counted_share(question))
    if not shard.first:
        for _ in in_order(model, levels, paths, question, shard, _begun(0, shard), outputs.judge):
            pass
        return writer.tally
    if outputs.first is None:
        every = in_order(model, levels, paths, question, shard, _begun(0, shard), outputs.judge)
        for rows, numbers in _told(every, 0, len(paths)):
            writer.add(rows, numbers)
        return writer.tally
    asked = _asked(model, levels, paths, question, outputs.judge)
    with writer, Unfinished(outputs.first, asked, width, outputs.resume) as found:
        try:
            done = _whole_chunks(found.done, len(paths), images_at_once(model, question))
            found.keep(done)
            writer.begin(replaces=not (outputs.resume and done))
            for start in range(0, done, AGAIN):
                rows = range(start, min(start + AGAIN, done))
                writer.add(rows, found.read(rows.start, rows.stop))
            later = in_order(model, levels, paths, question, shard, _begun(done, shard), outputs.judge)
            for rows, numbers in _told(later, done, len(paths)):
                found.append(numbers)
                writer.add(rows, numbers)
            writer.finish(found)
        except (UserError, KeyboardInterrupt) as error:
            if not found.done:
                raise
            kept = f"{found.done:,} of {len(paths):,} answers are kept: --resume goes on"
            if isinstance(error, UserError):
                raise UserError(f"{error}; {kept}") from error
            say(kept)
            raise
    return writer.tally


def in_order(
    model: AutoregressiveImageModel,
    levels: ImageSource | Tensor,
    paths: Sequence[str],
    question: Question,
    shard: Shard = ALONE,
    start: int = 0,
    judge: Judge | None = None,
) -> Iterator[tuple[range, Tensor]]:
    """Yields (rows, log p(x | c) [n, K]), float64, in the order of the images, on every process; several chunks at a
    time where several processes share them. With a judge its p-values are one more column. An image that could not be
    read has `LEFT_OUT` in place of its numbers."""
    size, count = images_at_once(model, question), len(paths)
    starts = chunk_starts(model, count, question)[-(-start // size) :]
    own = log_likelihoods(model, levels, question, shard, start=start)
    for place in range(0, len(starts), shard.ranks):
        rows = range(starts[place], min(starts[place] + shard.ranks * size, count))
        width = answers_an_image(model, question) + (judge is not None)
        found = torch.zeros(len(rows), width, dtype=torch.float64)
        if place + shard.rank < len(starts):
            mine, nats = next(own)
            nats = _sound(nats, mine, levels, paths)
            numbers = nats if judge is None else _judged(model, levels, mine, nats, judge)
            found[mine.start - rows.start : mine.stop - rows.start] = numbers
        yield rows, shard.merge(found)


def _sound(nats: Tensor, rows: range, levels: ImageSource | Tensor, paths: Sequence[str]) -> Tensor:
    """The numbers, marked where an image could not be read. Raises UserError where a likelihood is no number."""
    unreadable = getattr(levels, "unreadable", {})
    lost = torch.tensor([row in unreadable for row in rows])
    wrong = (nats.isnan().any(1) | ~nats.amax(1).isfinite()) & ~lost
    if bool(wrong.any()):
        name = paths[rows[int(wrong.nonzero()[0])]]
        raise UserError(
            f"the likelihood of {name} is no finite number: the model's weights are not finite or too large"
        )
    return torch.where(lost[:, None], LEFT_OUT, nats)


def _judged(
    model: AutoregressiveImageModel, levels: ImageSource | Tensor, rows: range, nats: Tensor, judge: Judge
) -> Tensor:
    """log p(x | c) and the judge's p-values [n, K + 1]."""
    numbers = torch.cat([nats, nats[:, :1]], 1)
    read = ~_lost(nats)
    if bool(read.any()):
        numbers[read, -1] = judge.p_values(model, levels[slice(rows.start, rows.stop)][read], nats[read])
    return numbers


def _lost(numbers: Tensor) -> Tensor:
    """Which images could not be read."""
    return (numbers == LEFT_OUT).all(1)


def _begun(done: int, shard: Shard) -> int:
    """How many images are done already, as the first process knows."""
    return int(shard.merge(torch.tensor([done if shard.first else 0]))[0])


def _whole_chunks(done: int, count: int, size: int) -> int:
    return count if done >= count else done // size * size


def _told(chunks: Iterator[tuple[range, Tensor]], done: int, count: int) -> Iterator[tuple[range, Tensor]]:
    """The same, telling how far it is, and the time left at the pace so far."""
    begun = time.monotonic()
    try:
        for rows, nats in chunks:
            yield rows, nats
            left = (time.monotonic() - begun) / (rows.stop - done) * (count - rows.stop)
            if rows.stop < count:
                detail = f"{rows.stop:,} of {count:,} images, {spell_seconds(left)} left"
                show_progress("classifying", rows.stop / count, detail)
    finally:
        show_progress("classifying", 1.0)


class _Writer:
    """Answers on their way to the CSV and the tally."""

    def __init__(
        self,
        model: AutoregressiveImageModel,
        levels: ImageSource | Tensor,
        paths: Sequence[str],
        labels: Tensor,
        outputs: Outputs,
        prior: Sequence[float] | None,
        counted: float,
    ) -> None:
        self.model, self.levels, self.paths, self.labels = model, levels, paths, labels.cpu()
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
        lost, judge = _lost(numbers), self.outputs.judge
        self.tally.left_out += [
            self.paths[row] for row, gone in zip(rows, lost.tolist(), strict=True) if gone
        ]
        kept = [row for row, gone in zip(rows, lost.tolist(), strict=True) if not gone]
        nats = numbers[~lost] if judge is None else numbers[~lost, :-1]
        answer = from_log_likelihoods(self.model, nats, self.prior, self.counted)
        if judge is not None:
            answer = judge.of(answer, numbers[~lost, -1])
        paths, labels = [self.paths[row] for row in kept], self.labels[kept]
        self.tally.add(answer, paths, labels)
        self._write("".join(self.outputs.table.lines(answer, paths, labels)))

    def finish(self, found: Unfinished) -> None:
        """The last row, the CSV in its place, and the logits, whole or not at all."""
        self._write(self.outputs.table.tail())
        if self.outputs.logits is not None:
            width = found.width - (self.outputs.judge is not None)
            _write_logits(self.outputs.logits, found, self.tally.answered, width)
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

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with suppress(OSError):  # a full disk was told of already
                self._file.close()
        elif self._place is not None and self._place != self.outputs.csv:
            self._place.unlink(missing_ok=True)


def _write_logits(path: Path, found: Unfinished, count: int, width: int) -> None:
    """log p(x | c), float64 [count, width], as a NumPy file, copied in blocks."""
    with whole(path) as temporary, temporary.open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (count, width)}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, found.done, AGAIN):
            numbers = found.read(start, min(start + AGAIN, found.done))
            file.write(numbers[~_lost(numbers), :width].numpy().tobytes())


def _asked(
    model: AutoregressiveImageModel,
    levels: ImageSource | Tensor,
    paths: Sequence[str],
    question: Question,
    judge: Judge | None,
) -> dict[str, Any]:
    """All that the likelihoods hang on, so that those of another question are not gone on with."""
    weights = question.weights.numpy().tobytes() if question.weights is not None else b""
    return {
        "model": _digest(_bytes_of(tensor) for tensor in model.state_dict().values()),
        "images": _digest(path.encode() + b"\0" for path in paths)
        + _digest(_some_pixels(levels, len(paths))),
        "batch": question.batch or pairs_at_once(model),
        "region": _digest([weights]),
        "precision": question.precision,
        "views": question.views,
        "detector": "" if judge is None else judge.mark(),
    }


def _bytes_of(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _some_pixels(levels: ImageSource | Tensor, count: int) -> Iterator[bytes]:
    for row in range(0, count, max(1, count // SAMPLE)):
        yield levels[slice(row, row + 1)].numpy().tobytes()


def _digest(parts: Any) -> str:
    found = blake2b(digest_size=8)
    for part in parts:
        found.update(part)
    return found.hexdigest()


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


def differing(
    model: AutoregressiveImageModel, levels: ImageSource | Tensor, question: Question
) -> tuple[int, int]:
    """How many answers to a sample of the images differ from those in float32, and how many images that are."""
    count = len(levels)
    rows = torch.arange(0, count, max(1, -(-count // COMPARED)))
    some = levels[rows]
    found = []
    for precision in (question.precision, "float32"):
        chunks = log_likelihoods(model, some, replace(question, precision=precision))
        found.append(from_log_likelihoods(model, torch.cat([nats for _, nats in chunks])).predicted)
    return int((found[0] != found[1]).sum()), len(rows)
