"""One step: the gradient of a batch, its clipping, the update at a learning rate, the moving average of the weights. It
never waits for the device."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from math import cos, pi
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Adam, AdamW, Optimizer

from ..fusion import label_parameters
from ..model import AutoregressiveImageModel
from ..objectives import Batch, Losses
from ..training_config import TrainingConfig
from .muon import Muon

Gradient = Callable[[Tensor, Tensor | None], Tensor]


class Stepper:
    """Gradient, clipping and update for one batch.

    `objective` is the module that Fabric wrapped, and `parts` are the names of what it tells. A step whose loss or
    gradient is not finite changes nothing: the fused optimisers read `found_inf` on the device, so that the host need
    not wait.
    """

    def __init__(
        self, fabric: Any, objective: Any, optimiser: Optimizer, clip: float = 0.0, accumulate: int = 1,
        parts: Sequence[str] = ("likelihood",),
    ) -> None:  # fmt: skip
        self.fabric = fabric
        self.objective = objective
        self.optimiser = optimiser
        self.clip = clip
        self.accumulate = accumulate
        self.parts = tuple(parts)
        self.graph: GradientGraph | None = None

    def __call__(self, batch: Batch, total: int) -> tuple[Tensor, Tensor]:
        """Update the weights by this rank's part of a batch of `total` images.

        Returns the batch's mean of each of `parts` (nan where the objective did not tell it) and whether the step was
        refused, both on the device, without waiting.
        """
        means = self.gradient(batch, total)
        if self.fabric.world_size > 1:
            means = self.fabric.all_reduce(means, reduce_op="sum")
        everything = [p for group in self.optimiser.param_groups for p in group["params"]]
        parameters = [p for p in everything if p.grad is not None]
        norm = get_total_norm([p.grad for p in parameters])
        refused = ~(means[0].isfinite() & norm.isfinite())
        if self.clip:
            clip_grads_with_norm_(parameters, self.clip, norm)
        self.optimiser.found_inf = refused.float()  # type: ignore[attr-defined]
        self.optimiser.step()
        if self.graph is None:
            self.optimiser.zero_grad(set_to_none=True)
        return means[1:], refused

    def gradient(self, batch: Batch, total: int) -> Tensor:
        """Leave the batch's gradient in the parameters; returns this rank's part of the means of the total and of each
        of `parts`, [1 + parts]."""
        if self.graph is not None:
            return self.graph(batch.levels, batch.labels)
        return self.eager(batch, total)

    def eager(self, batch: Batch, total: int) -> Tensor:
        """`gradient`, operation by operation."""
        pieces = batch.split(max(1, -(-len(batch.levels) // self.accumulate)))
        means = torch.zeros(1 + len(self.parts), device=batch.levels.device)
        for number, piece in enumerate(pieces, 1):
            with self.fabric.no_backward_sync(self.objective, enabled=number < len(pieces)):
                losses = Losses(*self.objective(piece))
                loss = _part_of_mean(losses.total, len(piece.levels), total)
                # DDP averages over the ranks; each rank's part is already weighted by its own images.
                self.fabric.backward(loss * self.fabric.world_size)
            means += self._told(loss, losses.parts, len(piece.levels), total)
        return means

    def _told(self, loss: Tensor, parts: Mapping[str, Tensor], images: int, total: int) -> Tensor:
        missing = loss.new_full((), torch.nan)
        told = [
            _part_of_mean(parts[name], images, total) if name in parts else missing for name in self.parts
        ]
        return torch.stack([value.detach().float() for value in (loss, *told)])


def _part_of_mean(value: Tensor, images: int, total: int) -> Tensor:
    """What `images` of a batch of `total` add to its mean: `value` is one for each of them, or their mean."""
    return (value.sum() if value.dim() else value * images) / total


def make_optimiser(
    module: nn.Module, config: TrainingConfig, own: Sequence[nn.Parameter] = (), own_rate: float = 1.0
) -> Optimizer:
    """The optimiser of a model's trainable parameters, decayed and not; those of the label, whose learning rate is
    `config.label_rate` times the others'; and an objective's `own`, whose rate is `own_rate` times that. Muon moves the
    matrices; the label's weights are rows of a table, and stay with Adam."""
    muon = config.optimiser == "muon"
    labels = label_parameters(module) if muon or config.label_rate != 1 else []
    apart = {id(parameter) for parameter in labels}
    others = [parameter for parameter in module.parameters() if id(parameter) not in apart]
    matrices, rest = _by_decay(others, config.weight_decay, 1.0)
    groups = [
        {**matrices, "orthogonal": muon},
        rest,
        *_by_decay(labels, config.weight_decay, config.label_rate),
        {"params": list(own), "weight_decay": 0.0, "factor": own_rate},
    ]
    there = [group for group in groups if group["params"]]
    if muon:
        return Muon(there, config.learning_rate, config.betas)
    kind = AdamW if config.optimiser == "adamw" else Adam
    return kind(there, lr=config.learning_rate, betas=config.betas, fused=True)


def _by_decay(parameters: Sequence[nn.Parameter], decay: float, factor: float) -> list[dict[str, Any]]:
    """The trainable ones in two groups, decayed and not, at `factor` times the run's learning rate."""
    trainable = [parameter for parameter in parameters if parameter.requires_grad]
    matrices = [item for item in trainable if _is_matrix(item)]
    rest = [item for item in trainable if not _is_matrix(item)]
    return [
        {"params": matrices, "weight_decay": decay, "factor": factor},
        {"params": rest, "weight_decay": 0.0, "factor": factor},
    ]


def _is_matrix(parameter: Tensor) -> bool:
    """True of weights that mix inputs; a gain or a bias has one value for each output, whatever its shape."""
    return parameter.numel() > max(parameter.shape, default=1)


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """The learning rate of the coming step."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group.get("factor", 1.0)


def learning_rate(config: TrainingConfig, step: int, progress: float, epoch: float = 0.0) -> float:
    """The rate for `step` (counted from 0), in `epoch`, of a run that has come as far as `progress` in [0, 1].

    >>> learning_rate(TrainingConfig(learning_rate=1.0, schedule="linear", warmup=0.0), 50, 0.25)
    0.75
    """
    warm = min(1.0, progress / config.warmup) if config.warmup > 0 else 1.0
    peak = config.learning_rate * (warm or 1e-3)  # a first step of rate zero would be wasted
    if config.schedule == "constant":
        return peak
    if config.schedule == "exponential":
        return peak * config.decay ** (step if config.decay_per == "step" else int(epoch))
    left = 1 - progress if config.schedule == "linear" else (1 + cos(pi * progress)) / 2
    return peak * (config.final_rate + (1 - config.final_rate) * left)


def decay_of(horizon: float, total_steps: float) -> float:
    """The decay whose horizon, 1 / (1 - decay) steps, is a share of the run.

    >>> decay_of(0.1, 1000)
    0.99
    """
    return max(0.0, 1.0 - 1.0 / max(1.0, horizon * total_steps))


class EMA:
    """A copy of `model` that holds the exponential moving average of its weights (Polyak & Juditsky 1992): `.model`, in
    evaluation mode.

    The mean is weighted: `mass = decay * mass + (1 - decay)`, `mean += (1 - decay) / mass * (weights - mean)`,
    so that the first update copies the weights and the random start leaves no trace.
    """

    def __init__(self, model: AutoregressiveImageModel) -> None:
        self.model = deepcopy(model).eval().requires_grad_(False)
        self._mean: list[Tensor] = list(self.model.parameters())
        self._weights: list[Tensor] = list(model.parameters())

    @torch.no_grad()
    def update(self, decay: float, mass: float) -> float:
        """Take the model's present weights in. Returns the new mass; `mass` is the one before, 0 at the start."""
        mass = decay * mass + (1.0 - decay)
        torch._foreach_lerp_(self._mean, self._weights, (1.0 - decay) / mass)
        return mass


class GradientGraph:
    """`gradient(levels, labels)` as one static program on a CUDA device, so that small networks are not launch-bound:
    captured once for the shape of `levels` and replayed.

    The gradients that it leaves in `module`'s parameters are the graph's own memory: do not set them to None.
    """

    def __init__(self, gradient: Gradient, module: nn.Module, levels: Tensor, labels: Tensor | None) -> None:
        self.levels = levels.clone()
        self.labels = labels.clone() if labels is not None else None
        self.graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                module.zero_grad(set_to_none=True)
                gradient(self.levels, self.labels)
        torch.cuda.current_stream().wait_stream(stream)
        # Without a gradient at capture, the backward pass writes afresh at each replay instead of adding.
        module.zero_grad(set_to_none=True)
        with torch.cuda.graph(self.graph):
            self.loss = gradient(self.levels, self.labels)

    def __call__(self, levels: Tensor, labels: Tensor | None) -> Tensor:
        """The loss of this batch, which has the captured shape; the gradients lie in the parameters."""
        self.levels.copy_(levels)
        if self.labels is not None and labels is not None:
            self.labels.copy_(labels)
        self.graph.replay()
        return self.loss.clone()
