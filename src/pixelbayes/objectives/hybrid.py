"""The likelihood and, beside it, how well Bayes' rule finds the label: generative and discriminative at once.

Lasserre, Bishop & Minka 2006; for deep densities Nalisnick et al. 2019 ("Hybrid models with deep and invertible
features") and Grathwohl et al. 2020 (JEM).
"""

from dataclasses import dataclass, field
from math import inf, log
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..data import Augment, AugmentConfig
from ..errors import UserError
from ..likelihood import class_passes
from ..model import AutoregressiveImageModel
from .objective import Batch, Losses, Objective, class_log_likelihoods

DIMS_A_NAT = 40.0
STRONG = AugmentConfig(rotate=10.0, jitter=0.2, crop=0.3, mask=4)


@dataclass(frozen=True)
class HybridConfig:
    """-log p(x | c) / dims + weight * cross_entropy(log p(x | all classes) / T, c).

    A label is worth a few bits of the thousands in an image, so that the likelihood alone hardly feels it. T is learned
    with the weights, since the likelihoods of a whole image are far too sure.
    """

    weight: float = 0.5
    """Of the cross-entropy, in nats, beside the likelihood in nats/dim; 0 is the likelihood alone."""
    start: float = 0.0
    """Share of the run after which the labels count; until then, the likelihood alone is trained."""
    ramp: float = 0.0
    """Share of the run, from there on, in which the weight rises from zero."""
    label_smoothing: float = 0.05
    """Share of the label's mass that is spread over all classes (Szegedy et al. 2016)."""
    temperature: float | None = None
    """T at the start; None: a nat for each 40 dimensions (19 for colour images of 16x16). Of an untrained model the
    likelihoods lie the further apart the more dimensions there are, and a cross-entropy that is too sure diverges."""
    temperature_rate: float = 10.0
    """Learning rate of log T, as a multiple of the run's; 0: T stays as it is."""
    augmented: bool = False
    """Take strongly augmented copies of the images for the labels, so that the density is not blurred by them."""
    strong: AugmentConfig = field(default_factory=lambda: STRONG)
    """How these are augmented, on top of the run's own augmentation."""

    def __post_init__(self) -> None:
        for name in ("weight", "temperature_rate"):
            if not 0 <= getattr(self, name) < inf:
                raise UserError(f"{name} must be finite and not negative, not {getattr(self, name)}")
        for name in ("start", "ramp"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} is a share of the run, from 0 to 1, not {getattr(self, name)}")
        if not 0 <= self.label_smoothing < 1:
            raise UserError(f"label_smoothing must lie in [0, 1), not {self.label_smoothing}")
        if self.temperature is not None and not 0 < self.temperature < inf:
            raise UserError(f"temperature must be finite and above 0, not {self.temperature}")

    def weight_at(self, progress: float) -> float:
        """The weight of the labels in a run that has come as far as `progress` in [0, 1].

        >>> config = HybridConfig(weight=0.5, start=0.5, ramp=0.25)
        >>> [config.weight_at(progress) for progress in (0.25, 0.5, 0.625, 0.75, 1.0)]
        [0.0, 0.0, 0.25, 0.5, 0.5]
        """
        if progress < self.start:
            return 0.0
        return self.weight * (min(1.0, (progress - self.start) / self.ramp) if self.ramp else 1.0)

    def build(self, model: AutoregressiveImageModel) -> "Hybrid":
        return Hybrid(model, self)


class Hybrid(Objective):
    """Both terms; the likelihood alone, to the bit, where the weight is zero."""

    parts: ClassVar[tuple[str, ...]] = ("likelihood", "cross_entropy", "label_accuracy", "temperature")
    static: ClassVar[bool] = False

    def __init__(self, model: AutoregressiveImageModel, config: HybridConfig) -> None:
        super().__init__(model)
        if len(model.classes) < 2:
            raise UserError("the objective 'hybrid' learns to tell classes apart: it needs two or more")
        self.config = config
        self.rate = config.temperature_rate
        learned = config.weight > 0 and config.temperature_rate > 0
        start = config.temperature or model.shape.dims / DIMS_A_NAT
        self.log_temperature = nn.Parameter(torch.tensor(log(start)), requires_grad=learned)
        self.weight: Tensor
        self.register_buffer("weight", torch.zeros(()), persistent=False)  # a function of the progress
        self.active = False
        if config.weight > 0:
            self.passes = class_passes(model) + float(config.augmented)
        self._augment = Augment(config.strong, model.shape) if config.augmented else None

    def begin(self, progress: float) -> None:
        weight = self.config.weight_at(progress)
        self.active = weight > 0
        self.strong = self._augment if self.active else None
        self.weight.fill_(weight)

    def forward(self, batch: Batch) -> Losses:
        if not self.active or batch.labels is None:
            loss = self.negative_log_likelihood(batch)
            # Nothing is added, but under DDP each parameter must have a gradient.
            total = loss + 0 * self.log_temperature if self.log_temperature.requires_grad else loss
            return Losses(total, {"likelihood": loss})
        if batch.strong is None:
            likelihoods = class_log_likelihoods(self.model, batch.levels, batch.views)
            own = likelihoods.gather(1, batch.labels[:, None]).squeeze(1)
            loss = -own / batch.dims
        else:
            loss = self.negative_log_likelihood(batch)
            likelihoods = class_log_likelihoods(self.model, batch.strong, batch.views)
        with torch.autocast(batch.levels.device.type, enabled=False):
            temperature = self.log_temperature.exp()
            entropy = F.cross_entropy(
                likelihoods / temperature,
                batch.labels,
                reduction="none",
                label_smoothing=self.config.label_smoothing,
            )
            total = loss + self.weight * entropy
        right = (likelihoods.argmax(1) == batch.labels).float()
        return Losses(
            total,
            {
                "likelihood": loss,
                "cross_entropy": entropy,
                "label_accuracy": right,
                "temperature": temperature,
            },
        )
