"""Classify levels by Bayes' rule: which class makes this image most probable?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..allocation import keep_freed_memory
from ..distributed import ALONE, Shard
from ..errors import UserError
from ..files import whole
from ..inputs import Images, require_model
from ..labels import UNKNOWN, Labels
from ..likelihood import (
    ALL_CLASSES,
    ImageSource,
    Question,
    answers_an_image,
    chunk_starts,
    collect,
    log_likelihoods,
)
from ..model import AutoregressiveImageModel
from ..posterior import log_prior
from ..progress import track
from ..views import Views
from .answer_table import AnswerTable


@dataclass(frozen=True)
class Classification:
    """What a model says about N images and K classes."""

    log_likelihoods: Tensor
    """log p(x | c) [N, K] in nats, float64; without prior and calibration."""
    posterior: Tensor
    """Calibrated p(c | x) [N, K], float64."""
    classes: Labels

    @property
    def predicted(self) -> Tensor:
        """The index of the most probable class [N]."""
        return self.posterior.argmax(1)

    @property
    def probability(self) -> Tensor:
        """The posterior of the predicted class [N]."""
        return self.posterior.amax(1)

    @property
    def shares(self) -> Tensor:
        """The posterior of all that may be answered, which sums to one [N, K]."""
        return self.posterior

    @property
    def runner_up(self) -> Tensor:
        """The index of the second most probable class [N]; UNKNOWN (-1) for a model of one class."""
        if self.posterior.shape[1] < 2:
            return torch.full_like(self.predicted, UNKNOWN)
        others = self.posterior.scatter(
            1, self.predicted[:, None], -1.0
        )  # where two are alike, not the same twice
        return others.argmax(1)

    @property
    def predicted_names(self) -> list[str]:
        """The name of the most probable class of each image."""
        return [self.classes[index] for index in self.predicted.tolist()]

    @property
    def runner_up_names(self) -> list[str]:
        """The name of the second most probable class of each image; '' for a model of one class."""
        return ["" if index == UNKNOWN else self.classes[index] for index in self.runner_up.tolist()]

    def rows(self, paths: Sequence[str], labels: Tensor | None = None) -> Iterator[tuple[str, ...]]:
        """The rows under `answer_table.HEADER`, in the order of the images.

        `true`, `predicted` and `runner_up` are indices of classes (`true` empty where unknown), `name` is the
        predicted class's; `log_likelihood_nats` is log p(x | predicted class).
        """
        return AnswerTable().cells(self, paths, labels)

    def write_csv(
        self,
        path: str | Path,
        paths: Sequence[str],
        labels: Tensor | None = None,
        table: AnswerTable | None = None,
    ) -> None:
        """Write a row for each image, as CSV in the form that `table` says."""
        table = table or AnswerTable()
        with whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            file.write(table.head(self.classes, self.shares.shape[1] > len(self.classes)))
            file.writelines(table.lines(self, paths, labels))
            file.write(table.tail())

    def write_logits(self, path: str | Path) -> None:
        """Write log p(x | c), float64 [N, K], as a NumPy file."""
        with whole(path) as temporary, temporary.open("wb") as file:
            np.save(file, self.log_likelihoods.numpy())


def classify_levels(
    model: AutoregressiveImageModel,
    levels: Images | ImageSource,
    question: Question = ALL_CLASSES,
    prior: Sequence[float] | None = None,
    progress: bool = False,
    shard: Shard = ALONE,
) -> Classification:
    """Integer levels [N, C, H, W], a tensor, an array or a lazy source of them -> Classification, in the same order.

    `question`: of which pixels, in which views and with which arithmetic (see `asking.question_of`). `prior`: a weight
    for each class (see `priors.prior_weights`), the model's own when None. With `shard`, several processes take some
    batches each. Raises UserError for a model without classes and images that do not fit it.
    """
    require_classes(model)
    nats = _collected(model, levels, question, progress, shard)
    return from_log_likelihoods(model, nats, prior, counted_share(question))


def require_classes(model: AutoregressiveImageModel) -> None:
    """Raises UserError for what is no model, or has no classes to choose from."""
    require_model(model)
    if not len(model.classes):
        raise UserError("this model was trained without classes: it gives likelihoods, but cannot classify")
    if ignores_labels(model):
        raise UserError(
            "the label enters this model nowhere (strategy 'none'), so that all classes explain an image alike: "
            "it gives likelihoods, but cannot classify"
        )


def can_classify(model: AutoregressiveImageModel) -> bool:
    """Whether it has classes, and the label enters it somewhere."""
    return bool(len(model.classes)) and not ignores_labels(model)


def ignores_labels(model: AutoregressiveImageModel) -> bool:
    """Whether the label enters nowhere; a module from outside is handed the label itself."""
    return getattr(model, "network_ignores_labels", False)


def from_log_likelihoods(
    model: AutoregressiveImageModel, nats: Tensor, prior: Sequence[float] | None = None, share: float = 1.0
) -> Classification:
    """log p(x | c) [N, K] -> Classification by the model's calibration and the prior, its own when None.

    `share`: how much of each image the likelihoods are of (`counted_share`).
    """
    own = model.log_prior() if prior is None else log_prior(prior)
    return Classification(nats, model.calibration.of_part(share).posterior(nats, own), model.classes)


def counted_share(question: Question) -> float:
    """How often a pixel counts in the mean: 1 for the whole image, less for a part of it."""
    return 1.0 if question.weights is None else float(question.weights.double().mean())


def class_log_likelihoods(
    model: AutoregressiveImageModel,
    levels: Images | ImageSource,
    batch: int | None = None,
    progress: bool = False,
    shard: Shard = ALONE,
    views: Views = "none",
) -> Tensor:
    """log p(x | c) of every image under every class, [N, K] float64 nats on the CPU.

    A model without classes gives [N, 1], log p(x). Pairs of images and classes run in chunks of `batch`. With `views`
    the mean of the densities over them.
    Raises UserError where a likelihood is no number: nothing can be said of such images.
    """
    return _collected(model, levels, Question(batch=batch, views=views), progress, shard)


def _collected(
    model: AutoregressiveImageModel,
    levels: Images | ImageSource,
    question: Question,
    progress: bool,
    shard: Shard,
) -> Tensor:
    """All the answers at once, on every process."""
    keep_freed_memory()
    count, own = len(levels), shard.of(chunk_starts(model, len(levels), question))
    chunks = track(log_likelihoods(model, levels, question, shard), "likelihoods", len(own), progress)
    nats = shard.merge(collect(chunks, count, answers_an_image(model, question)))
    lost = nats.isnan().any(1).nonzero().flatten()
    if len(lost):
        raise UserError(
            f"the likelihood of {len(lost)} of {len(levels)} images is no number, that of image {int(lost[0])} first: "
            "the model's weights are not finite or too large"
        )
    return nats
