"""What training minimises: objectives by name."""

from typing import Any

from ..registry import Registry
from .hybrid import HybridConfig
from .objective import (
    Batch,
    LikelihoodConfig,
    Losses,
    Objective,
    ObjectiveConfig,
    class_log_likelihoods,
    log_likelihood,
)

CONFIGS: Registry[type[Any]] = Registry(
    "objective",
    {
        "likelihood": LikelihoodConfig,
        "hybrid": HybridConfig,
    },
)

register_objective = CONFIGS.register

__all__ = [
    "CONFIGS",
    "Batch",
    "HybridConfig",
    "LikelihoodConfig",
    "Losses",
    "Objective",
    "ObjectiveConfig",
    "class_log_likelihoods",
    "log_likelihood",
    "register_objective",
]
