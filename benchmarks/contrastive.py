"""Contrastive fine-tuning of a density on its labels, to be set beside the hybrid objective's cross-entropy.

    pixelbayes train DATA --from MODEL --recipe cpen455-hybrid --import benchmarks.contrastive --objective contrastive

Condition contrastive alignment (CCA: Chen, Su, Sun and Zhu 2024, "Toward guidance-free AR visual generation via
condition contrastive alignment"): an image becomes likelier under its own class than it was under the model that the
run started from, and less likely under the others. There is neither a cross-entropy nor a likelihood term.
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelbayes.errors import UserError
from pixelbayes.likelihood import class_passes
from pixelbayes.model import AutoregressiveImageModel
from pixelbayes.objectives import Batch, Losses, Objective, class_log_likelihoods, register_objective
from pixelbayes.objectives.hybrid import DIMS_A_NAT


@register_objective("contrastive")
@dataclass(frozen=True)
class ContrastiveConfig:
    """-log sigmoid(r(c)) - negative * mean over other classes k of log sigmoid(-r(k)), where
    r(k) = (log p(x | k) - log reference(x | k)) / T."""

    negative: float = 1.0
    """Weight of the classes that an image does not have."""
    temperature: float | None = None
    """T; None: where the hybrid objective begins, a nat for each 40 dimensions."""

    def build(self, model: AutoregressiveImageModel) -> "Contrastive":
        return Contrastive(model, self)


class Contrastive(Objective):
    """The reference is the model as the run finds it; its weights go into the run's state."""

    parts: ClassVar[tuple[str, ...]] = ("likelihood", "contrast", "label_accuracy")
    static: ClassVar[bool] = False

    def __init__(self, model: AutoregressiveImageModel, config: ContrastiveConfig) -> None:
        super().__init__(model)
        if len(model.classes) < 2:
            raise UserError("the objective 'contrastive' contrasts classes: it needs two or more")
        self.negative = config.negative
        self.temperature = config.temperature or model.shape.dims / DIMS_A_NAT
        self.reference = deepcopy(model).requires_grad_(False)
        self.passes = class_passes(model) * 4 / 3  # the reference needs no gradient

    def forward(self, batch: Batch) -> Losses:
        if batch.labels is None:
            raise UserError("the objective 'contrastive' needs labels")
        ours = class_log_likelihoods(self.model, batch.levels, batch.views)
        with torch.no_grad():
            self.reference.eval()
            before = class_log_likelihoods(self.reference, batch.levels, batch.views)
        loss = contrast((ours - before) / self.temperature, batch.labels, self.negative)
        own = ours.gather(1, batch.labels[:, None]).squeeze(1)
        told = {
            "likelihood": -own / self.model.shape.dims,
            "contrast": loss,
            "label_accuracy": (ours.argmax(1) == batch.labels).float(),
        }
        return Losses(loss, told)


def contrast(ratios: Tensor, labels: Tensor, negative: float = 1.0) -> Tensor:
    """The loss of each image [n], of log ratios [n, K] to the reference and labels [n].

    >>> contrast(torch.zeros(1, 3), torch.tensor([0])).item() == 2 * torch.tensor(2.0).log().item()
    True
    """
    own = F.one_hot(labels, ratios.shape[1]).bool()
    right = -F.logsigmoid(ratios[own])
    wrong = -F.logsigmoid(-ratios).masked_fill(own, 0).sum(1) / (ratios.shape[1] - 1)
    return right + negative * wrong
