"""Classify by Bayes' rule: which class makes this image most probable?"""

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
from ..labels import UNKNOWN, Labels
from ..likelihood import (
    ImageSource,
    Precision,
    Question,
    answers_an_image,
    chunk_starts,
    collect,
    log_likelihoods,
)
from ..likelihood import pairs_at_once as pairs_at_once
from ..model import AutoregressiveImageModel, Images, require_model
from ..progress import track
from ..regions import Combine, Region, Slices, pixel_weights
from ..views import Views
from .answer_table import HEADER as HEADER
from .answer_table import AnswerTable
from .priors import Prior, prior_weights


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
        """The rows under `HEADER`, in the order of the images.

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


def classify(
    model: AutoregressiveImageModel,
    levels: Images | ImageSource,
    batch: int | None = None,
    progress: bool = False,
    shard: Shard = ALONE,
    *,
    prior: Prior | None = None,
    regions: Sequence[str | Slices | Region] | None = None,
    combine: Combine = "sum",
    precision: Precision = "float32",
    views: Views = "none",
) -> Classification:
    """Integer levels [N, C, H, W], a tensor, an array or a lazy source of them -> Classification, in the same order.

    `batch` counts pairs of an image and a class that go through the network at once (by default as many as
    keep the memory small). With `shard`, several processes take some batches each. `prior` is what the classes are like
    before an image is seen (see `priors.prior_weights`; the model's own when None, which is uniform unless set).
    `regions` are the parts of each image that count, such as `["0:16,8:24", "upto:20,0"]` (see `regions`), combined
    by their sum or mean; all of it when None. `precision` "bf16" is quicker where the processor has it. `views`: the
    mean of the densities over mirrored or turned images (`mirror`, `turns`, `all`), each at the cost of a pass.
    Raises UserError for a model without classes or images, priors and regions that do not fit it.
    """
    require_classes(model)
    weights = None if prior is None else prior_weights(prior, model)
    question = asked(model, regions, combine, batch, precision, views)
    nats = _collected(model, levels, question, progress, shard)
    return from_log_likelihoods(model, nats, weights, counted_share(question))


def asked(
    model: AutoregressiveImageModel,
    regions: Sequence[str | Slices | Region] | None = None,
    combine: Combine = "sum",
    batch: int | None = None,
    precision: Precision = "float32",
    views: Views = "none",
) -> Question:
    """The question of a classification: all classes, of the whole image or of parts of it."""
    shape = model.shape
    pixels = None if regions is None else pixel_weights(regions, shape.height, shape.width, combine)
    return Question(weights=pixels, batch=batch, precision=precision, views=views)


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
    log_prior = model.log_prior() if prior is None else log_of(prior)
    return Classification(nats, model.calibration.of_part(share).posterior(nats, log_prior), model.classes)


def counted_share(question: Question) -> float:
    """How often a pixel counts in the mean: 1 for the whole image, less for a part of it."""
    return 1.0 if question.weights is None else float(question.weights.double().mean())


def log_of(weights: Sequence[float]) -> Tensor:
    """log p(c) [K] of a prior's weights."""
    prior = torch.tensor(weights, dtype=torch.float64)
    return (prior / prior.sum()).log()


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
