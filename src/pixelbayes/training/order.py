"""Which images each step sees: a pure function of the seed and the step."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .seeds import generator


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
        first, last = start // self.length, (stop - 1) // self.length
        parts = [self._cut(epoch, start, stop) for epoch in range(first, last + 1)]
        return torch.cat(parts)

    def _cut(self, epoch: int, start: int, stop: int) -> Tensor:
        offset = epoch * self.length
        return self.epoch(epoch)[max(0, start - offset) : min(self.length, stop - offset)]

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
        together = torch.cat(drawn)
        return together[torch.randperm(self.length, generator=noise)]


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
