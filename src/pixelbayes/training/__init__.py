"""Training: from a data set and a recipe to a model in a folder."""

from typing import TYPE_CHECKING, Any

from ..training_config import TrainingConfig

if TYPE_CHECKING:
    from ..data import AugmentConfig
    from ..planning import Plan, plan
    from .duties import Duty
    from .trainer import train

__all__ = ["AugmentConfig", "Duty", "Plan", "TrainingConfig", "plan", "train"]

_HOMES = {
    "AugmentConfig": "..data",
    "Duty": ".duties",
    "Plan": "..planning",
    "plan": "..planning",
    "train": ".trainer",
}


def __getattr__(name: str) -> Any:
    # The configuration is read without waiting for what trains.
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(name)
    return getattr(import_module(_HOMES[name], __name__), name)
