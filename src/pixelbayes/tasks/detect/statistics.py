"""What is measured of an image before anything is judged."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from ...distributed import ALONE, Shard
from ...errors import UserError, check_whole
from ...inputs import as_levels
from ...likelihood import ImageSource, Question, images_at_once, pairs_at_once
from ...model import AutoregressiveImageModel, evaluating
from ...progress import track
from ..classify import class_log_likelihoods
from .compressed import compressed_bits
from .local import plain_log_prob
from .stirring import stirred

PARTS = 4  # along each side, of which the likelihood is a statistic each
OTHERS = 5  # columns of `_others` before those of the parts
IMAGES_A_BLOCK = 512  # that are decoded and measured before the next


@dataclass(frozen=True)
class Statistics:
    """Of N images; log-probabilities in nats, float64 [N]."""

    log_likelihoods: Tensor
    """log p(x | c) [N, K], without the prior; [N, 1] without classes."""
    log_prob: Tensor
    """log p(x), summed over the classes by the prior."""
    local: Tensor
    """log p(x) of the local model."""
    stirring: Tensor
    """Mean of log p(stirred x | c) - log p(x | c), where c is x's most probable class."""
    compressed: Tensor
    """Bits of the smallest lossless compression."""
    variation: Tensor
    """Mean difference of neighbouring levels."""
    parts: Tensor
    """log p of each part of the image, a grid of them, given what is before it and x's most probable class [N, P]."""
    background: Tensor | None = None
    """log p(x) of the background model."""

    def scores(self, typical: float) -> dict[str, Tensor]:
        """Each score [N] by name, higher: more foreign. `typical` is the mean log p(x) of training images."""
        every = {
            "likelihood": -self.log_prob,
            "typicality": (self.log_prob - typical).abs(),
            "complexity": -self.log_prob / log(2) - self.compressed,
            "local": self.local - self.log_prob,
            "stirring": self.stirring,
        }
        if self.background is not None:
            every["ratio"] = self.background - self.log_prob
        return every

    def features(self) -> Tensor:
        """What the density is over [N, D]: each statistic once, the ratios as ratios."""
        columns = [
            self.log_prob,
            self.compressed,
            self.variation,
            self.local - self.log_prob,
            self.stirring,
        ]
        if self.background is not None:
            columns.append(self.background - self.log_prob)
        return torch.cat([torch.stack(columns, 1), self.parts], 1)


@dataclass(frozen=True)
class Instruments:
    """What the statistics are measured with, beside the model."""

    local: AutoregressiveImageModel
    background: AutoregressiveImageModel | None
    compressors: tuple[str, ...]
    stirs: int = 2
    """How often each image is stirred."""


def statistics_of(
    model: AutoregressiveImageModel,
    levels: Tensor,
    instruments: Instruments,
    batch: int | None = None,
    progress: bool = False,
    shard: Shard = ALONE,
    nats: Tensor | None = None,
) -> Statistics:
    """Integer levels [N, C, H, W] -> Statistics, in the same order.

    `nats` are log p(x | c) [N, K] where they are known already. Raises UserError for images that do not fit the
    model, and where a likelihood is no number.
    """
    check_whole("the batch", batch, least=1)
    levels = as_levels(levels)
    model.check(levels)
    if nats is None:
        nats = class_log_likelihoods(model, levels, batch, progress, shard)
    joint = model.with_prior(nats) if model.classes else nats
    best = joint.argmax(1)
    size = block_size(model, batch)
    rest = torch.zeros(
        len(levels), OTHERS + grid(model.shape.height) * grid(model.shape.width), dtype=torch.float64
    )
    with evaluating(model):
        for start in track(shard.of(range(0, len(levels), size)), "other statistics", shown=progress):
            part = slice(start, start + size)
            rest[part] = _others(model, levels[part], best[part], nats[part], instruments)
    rest = shard.merge(rest)
    if bool(rest.isnan().any()):
        raise UserError(
            "a likelihood is no number: the weights of the model or of its background are not finite"
        )
    background = None if instruments.background is None else rest[:, 4]
    local, stirring, compressed, varied = rest[:, :4].unbind(1)
    return Statistics(
        nats, joint.logsumexp(1), local, stirring, compressed, varied, rest[:, OTHERS:], background
    )


def statistics_by_block(
    model: AutoregressiveImageModel,
    levels: ImageSource | Tensor,
    instruments: Instruments,
    batch: int | None = None,
    progress: bool = False,
    shard: Shard = ALONE,
    rows: Tensor | None = None,
) -> Iterator[tuple[Tensor, Statistics]]:
    """Yields (rows, Statistics) of images that are read when their turn comes, block by block; the numbers are those
    of `statistics_of`. `rows`: some of the images alone, in this order. Images that could not be read are left out."""
    check_whole("the batch", batch, least=1)
    rows = torch.arange(len(levels)) if rows is None else rows
    parts = blocks(len(rows), block_size(model, batch))
    for part in track(parts, "scores", shown=progress and len(parts) > 1):
        own = rows[part]
        some = levels[own]
        unreadable = getattr(levels, "unreadable", {})
        read = torch.tensor([row not in unreadable for row in own.tolist()])
        if bool(read.any()):
            alone = progress and len(parts) == 1
            yield own[read], statistics_of(model, some[read], instruments, batch, alone, shard)


def block_size(model: AutoregressiveImageModel, batch: int | None = None) -> int:
    """How many images are measured at once: whole chunks of those whose classes go through the network together, so
    that the numbers do not hang on where a block begins."""
    chunk = images_at_once(model, Question(batch=batch))
    return chunk * max(1, (batch or pairs_at_once(model)) // chunk)


def blocks(count: int, size: int) -> list[slice]:
    """`count` images in blocks of several times `size`, some hundreds where that is possible."""
    step = size * max(1, IMAGES_A_BLOCK // size)
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


@torch.inference_mode()
def _others(
    model: AutoregressiveImageModel, levels: Tensor, best: Tensor, nats: Tensor, instruments: Instruments
) -> Tensor:
    """Local, stirring, compressed, variation, background (0 without such a model) and the parts [n, OTHERS + P]."""
    own = nats.gather(1, best[:, None])[:, 0]
    label = best if model.classes else None
    stirs = [
        model.log_prob(stirred(levels, seed), label).double().cpu() - own for seed in range(instruments.stirs)
    ]
    background = torch.zeros(len(levels), dtype=torch.float64)
    if instruments.background is not None:
        background = plain_log_prob(instruments.background, levels)
    columns = [
        plain_log_prob(instruments.local, levels),
        torch.stack(stirs).mean(0),
        compressed_bits(levels, instruments.compressors),
        variation(levels),
        background,
    ]
    maps = model.log_prob_map(levels, label).cpu().double()
    return torch.cat([torch.stack(columns, 1), in_parts(maps)], 1)


def grid(size: int) -> int:
    """Into how many parts a side is divided."""
    return min(PARTS, size)


def in_parts(maps: Tensor) -> Tensor:
    """log p of each pixel [n, H, W] -> mean of each part, row by row, times a part's mean size [n, P].

    >>> in_parts(torch.ones(1, 8, 8)).shape, float(in_parts(torch.ones(1, 8, 8))[0, 0])
    (torch.Size([1, 16]), 4.0)
    """
    height, width = maps.shape[1:]
    rows, columns = grid(height), grid(width)
    means = torch.nn.functional.adaptive_avg_pool2d(maps[:, None], (rows, columns)).flatten(1)
    return means * (height * width / (rows * columns))


def variation(levels: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring levels of images [n, C, H, W], below and to the right, float64 [n]."""
    values = levels.cpu().double()
    steps = torch.cat([values.diff(dim=side).abs().flatten(1) for side in (2, 3)], 1)
    return steps.sum(1) / max(1, steps.shape[1])
