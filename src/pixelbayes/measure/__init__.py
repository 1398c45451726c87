"""Bits per dimension, accuracy, calibration, and simple baselines to stand beside."""

from .baselines import Baseline, baselines
from .calibration import fit_calibration
from .evaluation import Metrics, evaluate
from .likelihood import bits_per_dim
from .scores import Scores, confusion_matrix, scores

__all__ = [
    "Baseline",
    "Metrics",
    "Scores",
    "baselines",
    "bits_per_dim",
    "confusion_matrix",
    "evaluate",
    "fit_calibration",
    "scores",
]
