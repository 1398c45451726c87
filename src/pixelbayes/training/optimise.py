"""The optimiser, its learning rate, and the moving average of the weights."""

from collections.abc import Sequence
from copy import deepcopy
from math import cos, pi

import torch
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

from ..model import AutoregressiveImageModel
from ..training_config import TrainingConfig


def make_optimiser(
    module: nn.Module, config: TrainingConfig, own: Sequence[nn.Parameter] = (), own_rate: float = 1.0
) -> Optimizer:
    """The optimiser of a model's trainable parameters, in two groups: decayed and not; and of an objective's `own`,
    whose learning rate is `own_rate` times that of the model."""
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups = [
        {"params": [item for item in trainable if is_matrix(item)], "weight_decay": config.weight_decay},
        {"params": [item for item in trainable if not is_matrix(item)], "weight_decay": 0.0},
        {"params": list(own), "weight_decay": 0.0, "factor": own_rate},
    ]
    kind = AdamW if config.optimiser == "adamw" else Adam
    return kind(
        [group for group in groups if group["params"]],
        lr=config.learning_rate,
        betas=config.betas,
        fused=True,
    )


def is_matrix(parameter: Tensor) -> bool:
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
    if warm == 0.0:
        # A first step of rate zero would be wasted.
        warm = 1e-3
    return config.learning_rate * warm * _decayed(config, step, progress, epoch)


def _decayed(config: TrainingConfig, step: int, progress: float, epoch: float) -> float:
    if config.schedule == "constant":
        return 1.0
    if config.schedule == "exponential":
        return config.decay ** (step if config.decay_per == "step" else int(epoch))
    left = 1 - progress if config.schedule == "linear" else (1 + cos(pi * progress)) / 2
    return config.final_rate + (1 - config.final_rate) * left


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
