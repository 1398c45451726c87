"""The batch of every step: which images, from where they lie, and how they are augmented and shared.

There is one seed for each purpose, derived from the run's, and no generator whose state could be lost.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import views
from ..data import Augment
from ..distributed import my_part
from ..objectives import Batch, Objective

DEVICE_SHARE = 0.3  # of a device's free memory that the images may take


def derive(seed: int, *purpose: str | int) -> int:
    """A seed of 63 bits, the same wherever it is asked for.

    >>> derive(0, "epoch", 1) == derive(0, "epoch", 1) != derive(0, "epoch", 2)
    True
    """
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(seed: int, *purpose: str | int) -> torch.Generator:
    """A generator on the CPU for one purpose."""
    return torch.Generator().manual_seed(derive(seed, *purpose))


@dataclass(frozen=True)
class Batches:
    """The batch of each step, a pure function of the seed and the step (and of how far the objective's run has come).

    Its noise is that of augmentation, of views, and of dropout, for which the global generator is seeded.
    """

    fabric: Any
    store: "ImageStore"
    order: "Order"
    seed: int
    augment: Augment | None
    objective: Objective
    augment_until: float = 1.0
    """Share of the run after which images are no longer augmented."""
    half_until: float = 0.0
    """Share of the run after which images are seen at their size."""

    def at(self, step: int, progress: float = 0.0) -> Batch:
        """This rank's part of the batch of a step, in a run that has come as far as `progress` in [0, 1]."""
        batch = self._whole(step, progress)
        if progress >= self.half_until:
            return batch
        strong = None if batch.strong is None else halved(batch.strong)
        return batch._replace(levels=halved(batch.levels), strong=strong)

    def _whole(self, step: int, progress: float) -> Batch:
        indices = self.order.indices(step)
        coming = None if self.store.resident else self.order.indices(step + 1)
        mine = my_part(self.fabric, len(indices))
        torch.manual_seed(derive(self.seed, "step", step))
        strong, group = self.objective.strong, self.objective.model.config.fusion.views
        augment = self.augment if progress < self.augment_until else None
        if augment is None and strong is None and group == "none":
            return Batch(*self.store.take(indices[mine], None if coming is None else coming[mine]))
        # The whole batch is augmented on every rank, so that the images do not depend on how many there are.
        levels, labels = self.store.take(indices, coming)
        levels = augment(levels) if augment is not None else levels
        copies = strong(levels, generator(self.seed, "strong", step)) if strong is not None else None
        seen = None
        if group != "none":
            seen = views.draw(levels, group, generator(self.seed, "views", step))
            levels = views.each_under(levels, group, seen)
            copies = views.each_under(copies, group, seen) if copies is not None else None
        others = (None if part is None else part[mine] for part in (labels, copies, seen))
        return Batch(levels[mine], *others)


def halved(levels: Tensor) -> Tensor:
    """Integer levels [n, C, H, W] at half the height and width: each the mean of four, rounded; an odd last row or
    column is left out.

    >>> halved(torch.tensor([[[[0, 1, 7], [2, 3, 7]]]]))
    tensor([[[[2]]]])
    """
    return F.avg_pool2d(levels.float(), 2).round().to(levels.dtype)


class ImageStore:
    """Integer levels [N, C, H, W] and labels [N] of a training set, ready to be indexed.

    The whole set lies on the device as integers where it fits. A larger one stays where it is (a memory map
    that ranks share), and the coming batch is gathered while the present one is computed.
    """

    def __init__(self, levels: Tensor, labels: Tensor | None, device: torch.device) -> None:
        self.device = device
        self.resident = device.type == "cpu" or fits(levels, device)
        self.levels = levels.to(device) if self.resident else levels
        self.labels = labels.to(device) if labels is not None else None
        self._reader = None if self.resident else ThreadPoolExecutor(1, "pixelbayes-batches")
        self._ahead: tuple[Tensor, Future[Tensor]] | None = None

    def close(self) -> None:
        """End the reader, if there is one."""
        if self._reader is not None:
            self._reader.shutdown(wait=False, cancel_futures=True)

    def take(self, indices: Tensor, coming: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """The images and labels at `indices` [n], on the device; `coming` are those asked for next."""
        there = indices.to(self.device, non_blocking=True)
        images = self.levels[there] if self.resident else self._gathered(indices, coming)
        return images, self.labels[there] if self.labels is not None else None

    def _gathered(self, indices: Tensor, coming: Tensor | None) -> Tensor:
        if self._ahead is not None and torch.equal(self._ahead[0], indices):
            images = self._ahead[1].result()
        else:
            images = self._read(indices)
        if coming is not None and self._reader is not None:
            self._ahead = coming, self._reader.submit(self._read, coming)
        return images.to(self.device, non_blocking=True)

    def _read(self, indices: Tensor) -> Tensor:
        images = self.levels[indices]
        return images.pin_memory() if self.device.type == "cuda" else images


def fits(levels: Tensor, device: torch.device) -> bool:
    """Whether the images may lie on the device whole."""
    if device.type != "cuda":
        return levels.nbytes < 2**32
    free, _ = torch.cuda.mem_get_info(device)
    return levels.nbytes < DEVICE_SHARE * free


def class_shares(
    labels: Tensor, classes: int, balanced: bool = False, focus: Sequence[int] = (), focus_share: float = 0.9
) -> Tensor:
    """The share of the samples drawn from each class [K], float64, summing to one.

    By default each class's share of the images `labels` [N]; `balanced` makes the classes that have images
    equal. With `focus`, those classes have `focus_share` of the samples between them.

    >>> class_shares(torch.tensor([0, 0, 0, 1]), 2, balanced=True).tolist()
    [0.5, 0.5]
    """
    counts = torch.bincount(labels, minlength=classes).double()
    shares = (counts > 0).double() if balanced else counts
    if focus:
        chosen = torch.zeros(classes, dtype=torch.bool)
        chosen[list(focus)] = True
        inside, outside = shares * chosen, shares * ~chosen
        if inside.sum() > 0 and outside.sum() > 0:
            shares = focus_share * inside / inside.sum() + (1 - focus_share) * outside / outside.sum()
    return shares / shares.sum()


def allot(shares: Tensor, total: int, offset: float) -> list[int]:
    """Whole numbers that sum to `total`, each next to its part of `shares` [K] (systematic sampling).

    Over offsets drawn from [0, 1) the mean of each is its part exactly, so that a class worth less than one image an
    epoch is drawn in some epochs.

    >>> allot(torch.tensor([0.5, 0.25, 0.25]), 7, 0.0), allot(torch.tensor([0.5, 0.25, 0.25]), 7, 0.6)
    ([3, 2, 2], [4, 1, 2])
    """
    ends = shares.cumsum(0)  # over the last, 1 exactly, so that empty classes at the end get nothing
    bounds = (ends / ends[-1] * total + offset).floor().long()
    return bounds.diff(prepend=bounds.new_zeros(1)).tolist()


@dataclass
class Order:
    """An endless stream of indices, cut into batches; its position is the number of the step.

    An epoch holds `length` indices (the number of images). Without `shares` it is a permutation of all
    images; with shares, each class fills its part with permutations of its own images. A batch may begin in
    one epoch and end in the next, so that all are of the same size.
    """

    length: int
    batch: int
    seed: int
    members: list[Tensor] = field(default_factory=list)
    """The indices of each class's images; empty when all images are drawn alike."""
    shares: Tensor | None = None
    _epoch: tuple[int, Tensor] | None = field(default=None, repr=False)

    def indices(self, step: int) -> Tensor:
        """The indices [batch] of a step, counted from 0."""
        start, stop = step * self.batch, (step + 1) * self.batch
        parts = []
        for number in range(start // self.length, (stop - 1) // self.length + 1):
            offset = number * self.length
            parts.append(self.epoch(number)[max(0, start - offset) : stop - offset])
        return torch.cat(parts)

    def epoch(self, number: int) -> Tensor:
        """All the indices [length] of one epoch."""
        if self._epoch is None or self._epoch[0] != number:
            self._epoch = number, self._draw(number)
        return self._epoch[1]

    def _draw(self, number: int) -> Tensor:
        noise = generator(self.seed, "order", number)
        if self.shares is None:
            return torch.randperm(self.length, generator=noise)
        counts = allot(self.shares, self.length, float(torch.rand((), generator=noise)))
        drawn = [_repeat(own, count, noise) for own, count in zip(self.members, counts, strict=True) if count]
        return torch.cat(drawn)[torch.randperm(self.length, generator=noise)]


def _repeat(own: Tensor, count: int, noise: torch.Generator) -> Tensor:
    """`count` of the indices `own`, each as often as any other, to within one."""
    rounds = -(-count // len(own))
    drawn = [own[torch.randperm(len(own), generator=noise)] for _ in range(rounds)]
    return torch.cat(drawn)[:count]


def make_order(
    labels: Tensor, classes: int, batch: int, seed: int,
    balanced: bool = False, focus: Sequence[int] = (), focus_share: float = 0.9,
) -> Order:  # fmt: skip
    """The order of a run over images with these labels [N] (all known where there are classes)."""
    if not classes or not (balanced or focus):
        return Order(len(labels), batch, seed)
    shares = class_shares(labels, classes, balanced, focus, focus_share)
    members = [(labels == index).nonzero()[:, 0] for index in range(classes)]
    return Order(len(labels), batch, seed, members, shares)
