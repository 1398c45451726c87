"""Classify any number of images in bounded memory: answers are written as they come, and a broken run goes on."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..allocation import keep_freed_memory
from ..distributed import ALONE, Shard
from ..errors import UserError
from ..likelihood import (
    ImageSource,
    Question,
    answers_an_image,
    chunk_starts,
    images_at_once,
    log_likelihoods,
)
from ..model import AutoregressiveImageModel
from ..progress import say, show_progress, spell_seconds
from .answer_files import AGAIN, LEFT_OUT, Outputs, Writer, unread
from .classify import counted_share, from_log_likelihoods
from .detect import Judge
from .identity import identity
from .tally import Tally
from .unfinished import Unfinished

COMPARED = 100
"""Images on which arithmetics are compared."""


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
    writer = Writer(model, paths, labels, outputs, prior, counted_share(question))

    def chunks_after(done: int) -> Iterator[tuple[range, Tensor]]:
        """From the image where the first process goes on."""
        return in_order(model, levels, paths, question, shard, _agreed(done, shard), outputs.judge)

    if not shard.first:
        for _ in chunks_after(0):
            pass
        return writer.tally
    if outputs.first is None:
        for rows, numbers in _telling(chunks_after(0), 0, len(paths)):
            writer.add(rows, numbers)
        return writer.tally
    asked = identity(model, levels, paths, question, outputs.judge)
    with writer, Unfinished(outputs.first, asked, width, outputs.resume) as unfinished:
        try:
            done = _whole_chunks(unfinished.done, len(paths), images_at_once(model, question))
            unfinished.keep(done)
            writer.begin(replaces=not (outputs.resume and done))
            for start in range(0, done, AGAIN):
                rows = range(start, min(start + AGAIN, done))
                writer.add(rows, unfinished.read(rows.start, rows.stop))
            for rows, numbers in _telling(chunks_after(done), done, len(paths)):
                unfinished.append(numbers)
                writer.add(rows, numbers)
            writer.finish(unfinished)
        except (UserError, KeyboardInterrupt) as error:
            if not unfinished.done:
                raise
            message = f"{unfinished.done:,} of {len(paths):,} answers are kept: --resume goes on"
            if isinstance(error, UserError):
                raise UserError(f"{error}; {message}") from error
            say(message)
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
    for index in range(0, len(starts), shard.ranks):
        rows = range(starts[index], min(starts[index] + shard.ranks * size, count))
        width = answers_an_image(model, question) + (judge is not None)
        numbers = torch.zeros(len(rows), width, dtype=torch.float64)
        if index + shard.rank < len(starts):
            mine, nats = next(own)
            nats = _sound(nats, mine, levels, paths)
            own_numbers = nats if judge is None else _judged(model, levels, mine, nats, judge)
            numbers[mine.start - rows.start : mine.stop - rows.start] = own_numbers
        yield rows, shard.merge(numbers)


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
    read = ~unread(nats)
    if bool(read.any()):
        numbers[read, -1] = judge.p_values(model, levels[slice(rows.start, rows.stop)][read], nats[read])
    return numbers


def _agreed(done: int, shard: Shard) -> int:
    """How many images are done already: the first process knows, and tells the others."""
    return int(shard.merge(torch.tensor([done if shard.first else 0]))[0])


def _whole_chunks(done: int, count: int, size: int) -> int:
    return count if done >= count else done // size * size


def _telling(chunks: Iterator[tuple[range, Tensor]], done: int, count: int) -> Iterator[tuple[range, Tensor]]:
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


def differing(
    model: AutoregressiveImageModel, levels: ImageSource | Tensor, question: Question
) -> tuple[int, int]:
    """How many answers to a sample of the images differ from those in float32, and how many images that are."""
    count = len(levels)
    rows = torch.arange(0, count, max(1, -(-count // COMPARED)))
    some = levels[rows]
    predicted = []
    for precision in (question.precision, "float32"):
        chunks = log_likelihoods(model, some, replace(question, precision=precision))
        predicted.append(from_log_likelihoods(model, torch.cat([nats for _, nats in chunks])).predicted)
    return int((predicted[0] != predicted[1]).sum()), len(rows)
