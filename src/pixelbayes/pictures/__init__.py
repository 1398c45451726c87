"""Pictures of samples, training curves and confusion matrices; matplotlib's object API, no display needed."""

from .matrix import confusion
from .sheets import preview, sheet
from .training_curves import curves

__all__ = ["confusion", "curves", "preview", "sheet"]
