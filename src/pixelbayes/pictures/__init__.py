"""Pictures of samples, training curves and what an evaluation found; matplotlib's object API, no display needed."""

from .matrix import confusion
from .mistakes import mistakes_sheet
from .nearest import nearest_sheet
from .reliability import reliability_diagram
from .seen import accuracy_seen
from .sheets import preview, sheet
from .training_curves import curves

__all__ = [
    "accuracy_seen",
    "confusion",
    "curves",
    "mistakes_sheet",
    "nearest_sheet",
    "preview",
    "reliability_diagram",
    "sheet",
]
