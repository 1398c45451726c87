"""Foreign images: how little an image is like those that a model knows, by several scores, and a verdict."""

from ..answer_table import NONE_OF_THESE
from .detection import Detection, Rejection
from .detector import Detector, Judge, fit_detector, require_own
from .statistics import Statistics, statistics_by_block, statistics_of
from .stored import FILE, load_detector, save_detector

__all__ = [
    "FILE",
    "NONE_OF_THESE",
    "Detection",
    "Detector",
    "Judge",
    "Rejection",
    "Statistics",
    "fit_detector",
    "load_detector",
    "require_own",
    "save_detector",
    "statistics_by_block",
    "statistics_of",
]
