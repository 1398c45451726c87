"""Bits per dimension, accuracy, calibration, and simple baselines to stand beside."""

from .baselines import Baseline, baselines
from .bits import bits_per_dim
from .calibration import fit_calibration
from .comparing import Comparison, compare_answers
from .evaluation import Metrics, evaluate_set
from .intervals import Interval, score_intervals, wilson
from .reliability import reliability, surest_mistakes
from .rivals import Rival, rivals
from .scores import Scores, class_scores, confusion_matrix, scores

__all__ = [
    "Baseline",
    "Comparison",
    "Interval",
    "Metrics",
    "Rival",
    "Scores",
    "baselines",
    "bits_per_dim",
    "class_scores",
    "compare_answers",
    "confusion_matrix",
    "evaluate_set",
    "fit_calibration",
    "reliability",
    "rivals",
    "score_intervals",
    "scores",
    "surest_mistakes",
    "wilson",
]
