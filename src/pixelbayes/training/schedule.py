"""The learning rate of a step."""

from math import cos, pi

from ..training_config import TrainingConfig


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
