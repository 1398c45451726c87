"""What an objective is: a module from a batch to losses, which holds the model and may have parameters of its own; and
the first of them, the likelihood alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ..model import AutoregressiveImageModel


class Batch(NamedTuple):
    """Images of a step, or a part of them."""

    levels: Tensor
    """Integer levels [n, C, H, W], augmented as the run says."""
    labels: Tensor | None
    """Indices of classes [n]; None for a model without classes."""
    strong: Tensor | None = None
    """The same images augmented once more, by the objective's `strong`; None where it has none."""

    views: Tensor | None = None
    """Under which view each image is shown, an index in the model's group [n]; None where the model knows none."""

    @property
    def dims(self) -> int:
        """Values of an image as it is here: a run may begin with smaller ones than the model's."""
        return self.levels.shape[1:].numel()

    def split(self, size: int) -> list["Batch"]:
        """Parts of at most `size` images."""
        levels = self.levels.split(size)
        others = (self.labels, self.strong, self.views)
        parts = [[None] * len(levels) if other is None else other.split(size) for other in others]
        return [Batch(*part) for part in zip(levels, *parts, strict=True)]


class Losses(NamedTuple):
    """What a batch costs: a value for each image [n], or their mean as a scalar."""

    total: Tensor
    """What is minimised. The negative log likelihood counts in nats/dim."""
    parts: dict[str, Tensor]
    """Of `Objective.parts`, those that are known: `likelihood` always (the negative log likelihood in nats/dim, by
    which the run is judged), others in whatever unit they have. They are only written down."""


class Objective(nn.Module):
    """Levels and labels -> `Losses`. The images and labels of a batch were checked with the data set.

    A subclass defines `forward(batch)`. Its own parameters (those that are not the model's) are trained without weight
    decay, and they and its persistent buffers go into the run's state. It is one module with one `forward`, so
    that wrappers (precision, DDP, compilation) see all of it: each own parameter must take part in each forward pass.
    """

    parts: ClassVar[tuple[str, ...]] = ("likelihood",)
    """Names of the parts that it may tell: columns of the journal."""
    static: ClassVar[bool] = True
    """Whether each step does the same operations, so that a CUDA device may replay them."""
    rate: float = 1.0
    """The learning rate of its own parameters, as a multiple of the run's."""
    passes: float = 1.0
    """How many times an image goes through the network in a step, about (1: only under its own class)."""
    strong: Callable[[Tensor, torch.Generator], Tensor] | None = None
    """What makes `Batch.strong` of the step's images, which the run has augmented already; None: nothing."""

    def __init__(self, model: AutoregressiveImageModel) -> None:
        super().__init__()
        self.model = model

    def begin(self, progress: float) -> None:
        """Get ready for a step of a run that has come as far as `progress` in [0, 1]."""

    def forward(self, batch: Batch) -> Losses:
        """The losses of a batch."""
        raise NotImplementedError

    def own_parameters(self) -> list[nn.Parameter]:
        """The trainable parameters that are not the model's."""
        known = {id(parameter) for parameter in self.model.parameters()}
        return [p for p in self.parameters() if p.requires_grad and id(p) not in known]

    def own_state(self) -> dict[str, Tensor]:
        """Parameters and persistent buffers that are not the model's, by name."""
        return {name: value for name, value in self.state_dict().items() if not name.startswith("model.")}

    def negative_log_likelihood(self, batch: Batch) -> Tensor:
        """-log p(x | c) of each image [n] in nats/dim, under the view that it is shown in, with gradients."""
        labels = self.model.under(batch.labels, batch.views)
        return -log_likelihood(self.model, batch.levels, labels) / batch.dims


class ObjectiveConfig(Protocol):
    """A frozen dataclass of an objective's settings, which become options."""

    def build(self, model: AutoregressiveImageModel) -> Objective:
        """The objective. Raises UserError for a model that it does not go with."""
        ...


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


def log_likelihood(model: AutoregressiveImageModel, levels: Tensor, labels: Tensor | None) -> Tensor:
    """log p(x | c) [n] in nats, float32 at least, with gradients, of images that were checked before: a check in each
    step would wait for the device."""
    parameters = model.pixel_parameters(levels, labels)
    with torch.autocast(levels.device.type, enabled=False):
        return model.to_distribution(parameters).log_prob(levels).flatten(1).sum(1)


def class_log_likelihoods(
    model: AutoregressiveImageModel, levels: Tensor, views: Tensor | None = None
) -> Tensor:
    """log p(x | c) [n, K] in nats under each class, with gradients, of levels [n, C, H, W] shown under `views` [n].

    In training, dropout falls on the same features under each class: else its noise, of many nats, would be taken for
    evidence for one class or another.
    """
    if model.network.shares_classes:
        return model.class_log_prob_maps(levels, shown=views).flatten(2).sum(2)
    seed = int(torch.randint(2**62, ())) if model.training else None
    columns = []
    for number in range(len(model.classes)):
        if seed is not None:
            torch.manual_seed(seed)
        labels = torch.full((len(levels),), number, device=levels.device)
        columns.append(log_likelihood(model, levels, model.under(labels, views)))
    return torch.stack(columns, 1)
