"""Foreign images: how little an image is like those that a model knows, by several scores, and a verdict."""

from .detection import NONE_OF_THESE, Detection, Rejection
from .detector import Detector, fit_detector
from .statistics import Statistics, measure
from .stored import FILE, load_detector, save_detector

__all__ = [
    "FILE",
    "NONE_OF_THESE",
    "Detection",
    "Detector",
    "Rejection",
    "Statistics",
    "fit_detector",
    "load_detector",
    "measure",
    "save_detector",
]
