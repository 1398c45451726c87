"""Adam and AdamW, fused where the device can, weight decay off for gains and biases."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

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
