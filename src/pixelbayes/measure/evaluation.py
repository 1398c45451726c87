"""Held-out likelihood and classification in one pass over the images."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from ..data import ImageSet
from ..distributed import ALONE, Shard
from ..errors import UserError
from ..files import to_json
from ..model import AutoregressiveImageModel
from ..tasks.classify import class_log_likelihoods, from_log_likelihoods, ignores_labels
from ..views import Views
from .bits import bits_per_dim
from .intervals import Interval, score_intervals
from .reliability import Bin, reliability
from .scores import ClassScores, Scores, class_scores, confusion_matrix, scores


@dataclass(frozen=True)
class Metrics:
    """What a model reaches on a set of images.

    `bits_per_dim` is -log2 p(x | its class) / (C*H*W), averaged over the images of known class (over all of
    them for a model without classes). `marginal_bits_per_dim` is that of p(x) = sum_c p(c) p(x | c) over all
    images; it needs no labels. Classification is of the images of known class, by the calibrated posterior;
    `uncalibrated` is Bayes' rule as it stands. None where there was nothing to measure, and where the label enters the
    model nowhere (strategy `none`), so that it cannot classify.
    """

    images: int
    labelled: int
    classes: tuple[str, ...]
    bits_per_dim: float | None
    marginal_bits_per_dim: float
    calibrated: Scores | None = None
    uncalibrated: Scores | None = None
    confusion: list[list[int]] | None = None
    """A row for each true class, a column for each predicted one (calibrated)."""
    intervals: dict[str, Interval] = field(default_factory=dict)
    """95 % intervals of the calibrated accuracy, balanced accuracy and macro F1: see `intervals`."""
    per_class: tuple[ClassScores, ...] = ()
    """Precision, recall and F1 of each class (calibrated)."""
    reliability: dict[str, tuple[Bin, ...]] = field(default_factory=dict)
    """The bins of the reliability diagram, `uncalibrated` and `calibrated`."""

    @property
    def accuracy(self) -> float | None:
        return self.calibrated.accuracy if self.calibrated else None

    @property
    def balanced_accuracy(self) -> float | None:
        return self.calibrated.balanced_accuracy if self.calibrated else None

    @property
    def macro_f1(self) -> float | None:
        return self.calibrated.macro_f1 if self.calibrated else None

    def as_dict(self) -> dict[str, object]:
        """Plain data; the calibrated scores lie at the top."""
        top = {name: value for name, value in asdict(self).items() if name != "calibrated"}
        known = asdict(self.calibrated) if self.calibrated else dict.fromkeys(Scores.__dataclass_fields__)
        tail = {
            name: top.pop(name)
            for name in ("intervals", "uncalibrated", "per_class", "confusion", "reliability")
        }
        return {**top, **known, **tail}

    def to_json(self, path: str | Path | None = None) -> str:
        """The numbers as JSON, also written to `path` if given."""
        return to_json(self.as_dict(), path)


def evaluate_set(
    model: AutoregressiveImageModel,
    images: ImageSet,
    batch: int | None = None,
    progress: bool = True,
    shard: Shard = ALONE,
    views: Views = "none",
) -> Metrics:
    """Measure `model` on `images`; one pass gives likelihood and classification.

    `batch` counts pairs of an image and a class that go through the network at once. Images of unknown class
    enter `marginal_bits_per_dim` only. With `shard`, several processes take some batches each; with `views`, the
    densities are means over them.
    Raises UserError when there are no images or they do not fit.
    """
    if not len(images):
        raise UserError("there are no images to evaluate")
    nats = class_log_likelihoods(model, images.levels, batch, progress, shard, views)
    return measure(model, nats, images.labels)


def measure(model: AutoregressiveImageModel, nats: Tensor, labels: Tensor) -> Metrics:
    """log p(x | c) [N, K] (`[N, 1]` without classes) and labels [N] -> Metrics."""
    if not len(model.classes):
        bits = bits_per_dim(nats[:, 0], model.shape)
        return Metrics(len(nats), 0, (), bits, bits)
    return judge(model, nats, labels, from_log_likelihoods(model, nats).posterior)


def judge(model: AutoregressiveImageModel, nats: Tensor, labels: Tensor, posterior: Tensor) -> Metrics:
    """The same, where the calibrated posterior [N, K] is known; of `model` the classes, shape and prior are used."""
    labels = labels.cpu()
    known = labels >= 0
    log_joint = model.with_prior(nats)
    own = nats[known].gather(1, labels[known, None])[:, 0]
    likelihoods = Metrics(
        images=len(nats),
        labelled=int(known.sum()),
        classes=model.classes.names,
        bits_per_dim=bits_per_dim(own, model.shape) if len(own) else None,
        marginal_bits_per_dim=bits_per_dim(torch.logsumexp(log_joint, 1), model.shape),
    )
    if not len(own) or ignores_labels(model):
        return likelihoods
    alone, confusion = log_joint.softmax(1), confusion_matrix(posterior, labels)
    return replace(
        likelihoods,
        calibrated=scores(posterior, labels),
        uncalibrated=scores(alone, labels),
        confusion=confusion,
        intervals=score_intervals(confusion),
        per_class=class_scores(confusion, model.classes.names),
        reliability={
            "uncalibrated": reliability(alone, labels),
            "calibrated": reliability(posterior, labels),
        },
    )
