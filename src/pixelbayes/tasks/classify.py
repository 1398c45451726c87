"""Classify by Bayes' rule: which class makes this image most probable?"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..allocation import keep_freed_memory
from ..errors import UserError, check_whole
from ..files import whole
from ..labels import UNKNOWN, Labels
from ..model import AutoregressiveImageModel, Images, as_levels, evaluating, require_model
from ..progress import track
from .share import ALONE, Share

HEADER = ("path", "true", "predicted", "name", "probability", "runner_up", "log_likelihood_nats")
PIXELS_AT_ONCE = {"cpu": 2**16, "cuda": 2**20}  # of all images and classes in one pass; bounds the memory


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
    def runner_up(self) -> Tensor:
        """The index of the second most probable class [N]; UNKNOWN (-1) for a model of one class."""
        if self.posterior.shape[1] < 2:
            return torch.full_like(self.predicted, UNKNOWN)
        return self.posterior.topk(2, dim=1).indices[:, 1]

    def rows(self, paths: Sequence[str], labels: Tensor | None = None) -> Iterator[tuple[str, ...]]:
        """The rows under `HEADER`, in the order of the images.

        `true`, `predicted` and `runner_up` are indices of classes (`true` empty where unknown), `name` is the
        predicted class's; `log_likelihood_nats` is log p(x | predicted class).
        """
        likelihood = self.log_likelihoods.gather(1, self.predicted[:, None])[:, 0]
        truth = labels.tolist() if labels is not None else [UNKNOWN] * len(likelihood)
        columns = (self.predicted, self.probability, self.runner_up, likelihood)
        found = zip(*(column.tolist() for column in columns), strict=True)
        for path, true, (predicted, probability, second, nats) in zip(paths, truth, found, strict=True):
            yield (
                path, _index(true), str(predicted), self.classes[predicted], f"{probability:.9g}",
                _index(second), f"{nats:.6f}",
            )  # fmt: skip

    def write_csv(self, path: str | Path, paths: Sequence[str], labels: Tensor | None = None) -> None:
        """Write the rows of `rows`, with a header, as CSV."""
        with whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(HEADER)
            writer.writerows(self.rows(paths, labels))

    def write_logits(self, path: str | Path) -> None:
        """Write log p(x | c), float64 [N, K], as a NumPy file."""
        with whole(path) as temporary, temporary.open("wb") as file:
            np.save(file, self.log_likelihoods.numpy())


def _index(label: int) -> str:
    return "" if label == UNKNOWN else str(label)


def classify(
    model: AutoregressiveImageModel,
    levels: Images,
    batch: int | None = None,
    progress: bool = False,
    share: Share = ALONE,
) -> Classification:
    """Integer levels [N, C, H, W], a tensor or an array -> Classification, in the same order.

    `batch` counts pairs of an image and a class that go through the network at once (by default as many as
    keep the memory small). With `share`, several processes take some batches each.
    Raises UserError for a model without classes or images that do not fit it.
    """
    require_model(model)
    if not len(model.classes):
        raise UserError("this model was trained without classes: it gives likelihoods, but cannot classify")
    nats = class_log_likelihoods(model, levels, batch, progress, share)
    return from_log_likelihoods(model, nats)


def from_log_likelihoods(model: AutoregressiveImageModel, nats: Tensor) -> Classification:
    """log p(x | c) [N, K] -> Classification by the model's prior and calibration."""
    return Classification(nats, model.calibration.posterior(model.with_prior(nats)), model.classes)


@torch.inference_mode()
def class_log_likelihoods(
    model: AutoregressiveImageModel,
    levels: Images,
    batch: int | None = None,
    progress: bool = False,
    share: Share = ALONE,
) -> Tensor:
    """log p(x | c) of every image under every class, [N, K] float64 nats on the CPU.

    A model without classes gives [N, 1], log p(x). Pairs of images and classes run in chunks of `batch`.
    Raises UserError where a likelihood is no number: nothing can be said of such images.
    """
    keep_freed_memory()
    levels = as_levels(levels)
    model.check(levels)
    classes = max(1, len(model.classes))
    pairs = len(levels) * classes
    check_whole("the batch", batch, least=1)
    size = batch or pairs_at_once(model)
    result = torch.zeros(pairs, dtype=torch.float64)
    with evaluating(model):
        for start in track(share.of(range(0, pairs, size)), "likelihoods", shown=progress):
            chosen = torch.arange(start, min(start + size, pairs))
            images = levels[chosen // classes].to(model.device)
            labels = (chosen % classes).to(model.device) if len(model.classes) else None
            result[chosen] = model.log_prob(images, labels).double().cpu()
    nats = share.merge(result).view(len(levels), classes)
    lost = nats.isnan().any(1).nonzero().flatten()
    if len(lost):
        raise UserError(
            f"the likelihood of {len(lost)} of {len(levels)} images is no number, that of image {int(lost[0])} first: "
            "the model's weights are not finite or too large"
        )
    return nats


def pairs_at_once(model: AutoregressiveImageModel) -> int:
    """How many pairs of an image and a class go through the network in one pass."""
    pixels = PIXELS_AT_ONCE.get(model.device.type, PIXELS_AT_ONCE["cpu"])
    return max(1, min(4096, pixels // (model.shape.height * model.shape.width)))
