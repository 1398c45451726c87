"""The likelihood alone: the negative log likelihood of each image under its own class."""

from dataclasses import dataclass

from ..model import AutoregressiveImageModel
from .objective import Batch, Losses, Objective


@dataclass(frozen=True)
class LikelihoodConfig:
    """-log p(x | c), in nats/dim; it has no settings."""

    def build(self, model: AutoregressiveImageModel) -> "Likelihood":
        return Likelihood(model)


class Likelihood(Objective):
    """-log p(x | c) of each image."""

    def forward(self, batch: Batch) -> Losses:
        loss = self.negative_log_likelihood(batch)
        return Losses(loss, {"likelihood": loss})
