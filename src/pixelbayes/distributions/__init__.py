"""What a network's output means for one pixel."""

from typing import Any

from ..registry import Registry
from .categorical import Bernoulli, Categorical
from .logistic_mixture import LogisticMixture
from .pixel import DistributionConfig, LevelDistribution, PixelDistribution

CONFIGS: Registry[type[Any]] = Registry(
    "distribution",
    {"logistic_mixture": LogisticMixture, "categorical": Categorical, "bernoulli": Bernoulli},
)

register_distribution = CONFIGS.register

__all__ = [
    "CONFIGS",
    "Bernoulli",
    "Categorical",
    "DistributionConfig",
    "LevelDistribution",
    "LogisticMixture",
    "PixelDistribution",
    "register_distribution",
]
