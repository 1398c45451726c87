"""How many of its pixels must a model see to know the class? Accuracy along the raster order.

log p(x | c) is a sum over pixels, each given those before it, so that the sum of the first n is the log probability of
what has been seen by then: one pass over an image gives Bayes' rule at every n.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..data import ImageSet
from ..distributed import ALONE, Shard
from ..errors import UserError
from ..likelihood import Question, chunk_starts, log_likelihood_maps
from ..model import AutoregressiveImageModel
from ..progress import track
from ..tasks.classify import require_classes
from .intervals import Interval, wilson

POINTS = 64  # at most, along the order


@dataclass(frozen=True)
class Seen:
    """Accuracy by Bayes' rule (no calibration: it was fitted for whole images) after each of some numbers of pixels."""

    pixels: tuple[int, ...]
    shares: tuple[float, ...]
    """Of all the image's pixels, the last one 1."""
    accuracies: tuple[float, ...]
    intervals: tuple[Interval, ...]
    chance: float
    """Share of the most frequent class."""

    def reaching(self, part: float) -> float:
        """The smallest share of pixels from which on the accuracy stays at `part` of its last value or above."""
        below = [index for index, value in enumerate(self.accuracies) if value < part * self.accuracies[-1]]
        return self.shares[below[-1] + 1 if below else 0]


def points_along(pixels: int) -> Tensor:
    """At most 64 numbers of pixels [S], evenly spaced, the last one all of them.

    >>> points_along(4).tolist()
    [1, 2, 3, 4]
    """
    return torch.linspace(1, pixels, min(pixels, POINTS), dtype=torch.float64).round().long()


def likelihoods_along(
    model: AutoregressiveImageModel,
    levels: Tensor,
    batch: int | None = None,
    progress: bool = False,
    shard: Shard = ALONE,
) -> Tensor:
    """log p(the first pixels | c), [N, K, S] float64 nats, after each of `points_along`; the last is log p(x | c).

    `batch` counts pairs of an image and a class. Raises UserError for a model that cannot classify.
    """
    require_classes(model)
    points = points_along(model.shape.height * model.shape.width) - 1
    result = torch.zeros(len(levels), len(model.classes), len(points), dtype=torch.float64)
    own = shard.of(chunk_starts(model, len(levels), Question(batch=batch)))
    chunks = log_likelihood_maps(model, levels, batch, shard)
    for rows, maps in track(chunks, "pixel by pixel", len(own), progress):
        result[rows.start : rows.stop] = maps.flatten(2).cumsum(2)[..., points]
    nats = shard.merge(result)
    if bool(nats.isnan().any()):
        raise UserError(
            "the likelihood of some images is no number: the model's weights are not finite or too large"
        )
    return nats


def accuracy_seen(model: AutoregressiveImageModel, nats: Tensor, images: ImageSet) -> Seen:
    """What `likelihoods_along` gave of the images -> accuracy along the order, of those whose class is known."""
    known = images.known
    labels = images.labels[known]
    if not len(labels):
        raise UserError("accuracy by the pixels seen needs images whose class is known")
    points = points_along(model.shape.height * model.shape.width)
    joint = torch.stack([model.with_prior(each) for each in nats[known].unbind(2)], 2)
    right = (joint.argmax(1) == labels[:, None]).sum(0).tolist()
    total = len(labels)
    return Seen(
        pixels=tuple(points.tolist()),
        shares=tuple((points / points[-1]).tolist()),
        accuracies=tuple(count / total for count in right),
        intervals=tuple(wilson(count, total) for count in right),
        chance=int(labels.bincount().max()) / total,
    )
