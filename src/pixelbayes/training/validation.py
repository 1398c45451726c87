"""Validation figures of the averaged weights, in float32, within a tenth of the time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..data import ImageSet
from ..distributed import Shard
from ..likelihood import Question, log_likelihoods
from ..measure import Metrics, bits_per_dim
from ..measure.evaluation import measure
from ..model import AutoregressiveImageModel
from .batches import generator

MANY_CLASSES = 20  # beyond which the candidate classes of an image may be thinned out
LEAST_IMAGES = 200  # of many classes: before fewer are taken, the other classes of each are thinned out
FEWEST_IMAGES = 40  # of few classes: all of them stay candidates, so that the answers can be calibrated
MOST_LOST = 0.1  # of the validation images may be left out since their likelihood is not finite


@dataclass(frozen=True)
class ValidationPlan:
    """Which images are scored under which classes: `candidates` [n, K] holds each image's true class once."""

    images: ImageSet
    candidates: Tensor | None
    total: int
    """Images in the whole validation set."""

    @property
    def pairs(self) -> int:
        """Passes of one image under one class."""
        return len(self.images) * (self.candidates.shape[1] if self.candidates is not None else 1)

    def describe(self, classes: int) -> str:
        """What the figures are of, for the user; empty when they are of everything."""
        parts = []
        if len(self.images) < self.total:
            parts.append(f"{len(self.images):,} of {self.total:,} validation images")
        if self.candidates is not None and self.candidates.shape[1] < classes:
            parts.append(f"{self.candidates.shape[1]} candidate classes of {classes} for each")
        return " and ".join(parts)


def plan_validation(images: ImageSet, most_pairs: int, seed: int) -> ValidationPlan | None:
    """A fixed subset of images, and of candidate classes, of at most about `most_pairs`; None without images."""
    classes = len(images.classes)
    known = images.labelled if classes else images
    if not len(known):
        return None
    noise = generator(seed, "validation")
    least = LEAST_IMAGES if classes > MANY_CLASSES else FEWEST_IMAGES
    count = max(min(len(known), least), most_pairs // max(1, classes))
    chosen = known
    if count < len(known):
        chosen = known[torch.randperm(len(known), generator=noise)[:count].sort().values]
    if not classes:
        return ValidationPlan(chosen, None, len(known))
    width = classes if classes <= MANY_CLASSES else min(classes, max(2, most_pairs // len(chosen)))
    return ValidationPlan(chosen, _candidates(chosen.labels, classes, width, noise), len(known))


def fewer(plan: ValidationPlan, most_pairs: int, seed: int) -> ValidationPlan:
    """The same plan, or a part of it with at most about `most_pairs`."""
    if plan.pairs <= most_pairs:
        return plan
    part = plan_validation(plan.images, most_pairs, seed)
    return replace(part, total=plan.total) if part is not None else plan


def _candidates(labels: Tensor, classes: int, width: int, noise: torch.Generator) -> Tensor:
    """[n, K] different classes for each image, its own among them."""
    if width >= classes:
        return torch.arange(classes).expand(len(labels), classes)
    order = torch.rand(len(labels), classes, generator=noise)
    order[torch.arange(len(labels)), labels] = -1.0
    return order.argsort(1)[:, :width]


def score(
    fabric: Any, model: AutoregressiveImageModel, levels: Tensor, candidates: Tensor | None,
    check: Callable[[], None],
) -> Tensor:  # fmt: skip
    """log p(x | c) [n, classes] in nats, float64, on every rank; -inf where c is no candidate ([n, 1] without classes).

    `check` is called now and then and may raise to stop.
    """
    width = candidates.shape[1] if candidates is not None else 1
    shard = Shard(fabric.global_rank, fabric.world_size, fabric.device)
    own = torch.zeros(len(levels), width, dtype=torch.float64)
    check()
    for rows, likelihoods in log_likelihoods(model, levels, Question(candidates), shard):
        own[rows.start : rows.stop] = likelihoods
        check()
    nats = shard.merge(own)
    if candidates is None or width == len(model.classes):
        return nats
    full = torch.full([len(levels), len(model.classes)], -torch.inf, dtype=torch.float64)
    return full.scatter(1, candidates, nats)


def validate(
    fabric: Any, model: AutoregressiveImageModel, plan: ValidationPlan, check: Callable[[], None]
) -> tuple[Metrics | None, Tensor]:
    """The figures, and log p(x | c) [n, classes] that they come from.

    The figures are of the images with a finite likelihood, and None where that leaves out more than a tenth: then
    the weights have gone astray.
    """
    nats = score(fabric, model, plan.images.levels, plan.candidates, check)
    sound = scored(nats)
    if len(nats) - int(sound.sum()) > MOST_LOST * len(nats):
        return None, nats
    return measure(model, nats[sound], plan.images.labels[sound]), nats


def scored(nats: Tensor) -> Tensor:
    """Which images [n] have a usable log p(x | c): -inf stands for what is no candidate, if it is not all."""
    return ~(nats.isnan().any(1) | (nats == torch.inf).any(1) | nats.amax(1).isinf())


def fitted_bits(
    fabric: Any, model: AutoregressiveImageModel, images: ImageSet, check: Callable[[], None]
) -> float:
    """Bits/dim of some training images as they are, under their own classes."""
    own = images.labels[:, None] if len(model.classes) else None
    nats = score(fabric, model, images.levels, own, check)
    if own is not None and nats.shape[1] > 1:
        nats = nats.gather(1, own)
    return bits_per_dim(nats[:, 0], model.shape)
