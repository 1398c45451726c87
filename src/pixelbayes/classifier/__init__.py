"""A dedicated classifier: a small residual network, to stand beside a model and to say what images have in common."""

from .beside import classifier_beside
from .files import FEATURES_FILE, load_classifier, save_classifier
from .fitting import Classifier, FitConfig, fit_classifier
from .network import ResidualNetwork

__all__ = [
    "FEATURES_FILE",
    "Classifier",
    "FitConfig",
    "ResidualNetwork",
    "classifier_beside",
    "fit_classifier",
    "load_classifier",
    "save_classifier",
]
