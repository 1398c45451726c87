"""What is measured of an image before anything is judged."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from ...distributed import ALONE, Shard
from ...errors import UserError, check_whole
from ...likelihood import ImageSource, Question, images_at_once, pairs_at_once
from ...model import AutoregressiveImageModel, as_levels, evaluating
from ...progress import track
from ..classify import class_log_likelihoods
from .compressed import compressed_bits
from .local import plain_log_prob
from .stirring import stirred

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
        columns = [self.log_prob, self.compressed, self.local - self.log_prob, self.stirring]
        if self.background is not None:
            columns.append(self.background - self.log_prob)
        return torch.stack(columns, 1)


@dataclass(frozen=True)
class Instruments:
    """What the statistics are measured with, beside the model."""

    local: AutoregressiveImageModel
    background: AutoregressiveImageModel | None
    compressors: tuple[str, ...]
    stirs: int = 2
    """How often each image is stirred."""


def measure(
    model: AutoregressiveImageModel,
    levels: Tensor,
    instruments: Instruments,
    batch: int | None = None,
    progress: bool = False,
    share: Shard = ALONE,
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
        nats = class_log_likelihoods(model, levels, batch, progress, share)
    joint = model.with_prior(nats) if model.classes else nats
    best = joint.argmax(1)
    size = block_size(model, batch)
    rest = torch.zeros(len(levels), 4, dtype=torch.float64)
    with evaluating(model):
        for start in track(share.of(range(0, len(levels), size)), "other statistics", shown=progress):
            part = slice(start, start + size)
            rest[part] = _others(model, levels[part], best[part], nats[part], instruments)
    rest = share.merge(rest)
    if bool(rest.isnan().any()):
        raise UserError(
            "a likelihood is no number: the weights of the model or of its background are not finite"
        )
    background = None if instruments.background is None else rest[:, 3]
    return Statistics(nats, joint.logsumexp(1), rest[:, 0], rest[:, 1], rest[:, 2], background)


def measured(
    model: AutoregressiveImageModel,
    levels: ImageSource | Tensor,
    instruments: Instruments,
    batch: int | None = None,
    progress: bool = False,
    share: Share = ALONE,
    rows: Tensor | None = None,
) -> Iterator[tuple[Tensor, Statistics]]:
    """Yields (rows, Statistics) of images that are read when their turn comes, block by block; the numbers are those
    of `measure`. `rows`: some of the images alone, in this order. Images that could not be read are left out."""
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
            yield own[read], measure(model, some[read], instruments, batch, alone, share)


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
    """Local, stirring, compressed, background of some images [n, 4]; the last is 0 without such a model."""
    own = nats.gather(1, best[:, None])[:, 0]
    label = best if model.classes else None
    stirs = [
        model.log_prob(stirred(levels, seed), label).double().cpu() - own for seed in range(instruments.stirs)
    ]
    background = torch.zeros(len(levels), dtype=torch.float64)
    if instruments.background is not None:
        background = plain_log_prob(instruments.background, levels)
    return torch.stack(
        [
            plain_log_prob(instruments.local, levels),
            torch.stack(stirs).mean(0),
            compressed_bits(levels, instruments.compressors),
            background,
        ],
        1,
    )
