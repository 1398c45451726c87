"""Batches of images drawn by a walk: what generating and completing share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from ..distributed import ALONE, Shard
from ..errors import UserError, check_above_zero, check_given, check_whole
from ..levels import ImageShape
from ..model import AutoregressiveImageModel, evaluating
from ..progress import counting
from ..walk import CachedLook, Known, Looks, Row, noise, sample, walk

COLDEST = 1e-6  # stands for the temperature 0
HOTTEST = 1e6  # beyond it numbers overflow, and all is noise long before
SHARED_FROM = 32  # images in a batch from which several threads gain more than they cost


@dataclass(frozen=True)
class Drawing:
    """How images are drawn: by which noise, how varied, and so many at once.

    The noise belongs to the seed and an image's index; images are identical for the same batch shape, threads and
    device. Temperature 0 is greedy: the likeliest component and its mean, the likeliest level.
    `on_row(first, row)` is called for each finished row of the batch that begins at image `first`.
    With `shard`, several processes draw some batches each. Raises `UserError` for values out of range.
    """

    seed: int = 0
    temperature: float = 1.0
    batch: int = 64
    title: str | None = None
    """Of the progress bar; None: no bar."""
    on_row: Callable[[int, Row], None] | None = None
    looks: Looks = CachedLook
    shard: Shard = ALONE

    def __post_init__(self) -> None:
        for name, value in (
            ("the temperature", self.temperature),
            ("the seed", self.seed),
            ("the batch", self.batch),
        ):
            check_given(name, value)
        if self.temperature != 0 or isinstance(self.temperature, bool):
            check_above_zero("the temperature", self.temperature)
        if self.temperature > HOTTEST:
            raise UserError(f"the temperature must be at most {HOTTEST:g}, not {self.temperature}")
        check_whole("the seed", self.seed, least=0)
        check_whole("the batch", self.batch, least=1)

    @property
    def greedy(self) -> bool:
        """Whether nothing is left to chance: the limit of low temperatures, the same for every seed."""
        return self.temperature == 0


def draw(
    model: AutoregressiveImageModel,
    label: Tensor | None,
    count: int,
    shape: ImageShape,
    how: Drawing,
    known: Known | None = None,
) -> Tensor:
    """Draw `count` images of `shape`, of the classes `label` `(count,)`, around what is known of them.

    Returns integer levels `(count, C, H, W)` on the CPU, on every process all of them.
    """
    _check_weights(model)
    size = max(1, min(how.batch, count))
    drawn = torch.zeros(count, shape.channels, shape.height, shape.width, dtype=shape.dtype)
    mine = how.shard.of(range(0, count, size))
    bar = counting(how.title or "", len(mine) * shape.height, how.title is not None)
    with bar as done, few_threads(size), evaluating(model):
        for start in mine:
            here = drawn[start : start + size]
            if known is not None:  # where nothing is to be drawn, no row is walked over
                here.copy_(known.levels[start : start + size])
            row = None
            for row in _walk_batch(model, label, range(start, start + size), count, shape, how, known):
                done(1)
                if how.on_row is not None:
                    how.on_row(start, row)
            if row is not None:
                here.copy_(row.levels[: len(here)])
    return how.shard.merge(drawn)


def _check_weights(model: AutoregressiveImageModel) -> None:
    """`UserError` where a weight is not finite: all that it draws would be noise."""
    for name, value in model.named_parameters():
        if not bool(value.isfinite().all()):
            raise UserError(f"the model's weights are not finite ({name}): it can draw nothing")


def _walk_batch(
    model: AutoregressiveImageModel,
    label: Tensor | None,
    indices: range,
    count: int,
    shape: ImageShape,
    how: Drawing,
    known: Known | None,
) -> Iterator[Row]:
    """One batch's walk; the last one, which has fewer images, is filled up to the same shape with the last image."""
    images = [min(index, count - 1) for index in indices]
    uniform = torch.stack([noise(how.seed, index, shape) for index in indices])
    if how.greedy:
        uniform.fill_(0.5)
    if model.device.type == "mps":  # which has no float64
        uniform = uniform.float()
    uniform = uniform.to(model.device)
    return walk(
        model,
        None if label is None else label[images],
        sample(uniform, COLDEST if how.greedy else how.temperature),
        len(indices),
        shape,
        None if known is None else known[images],
        how.looks,
    )


@contextmanager
def few_threads(batch: int) -> Iterator[None]:
    """One thread for a small batch: a pixel's products are then too small to share, and sharing costs more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if batch < SHARED_FROM else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
