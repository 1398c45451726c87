"""Layers that see only the past, and the two ways of looking at an image."""

from .convolution import (
    CausalConv,
    Enlarge,
    FirstConv,
    Head,
    Kernel,
    Pointwise,
    above_and_left,
    rows_above,
)
from .elementwise import concat_elu, elu
from .layer import Layer
from .memory import WalkCache
from .residual import ACTIVATIONS, Activation, Feature, GatedResidual, Join
from .scan import Glimpse, Scan, WholeImage

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "CausalConv",
    "Enlarge",
    "Feature",
    "FirstConv",
    "GatedResidual",
    "Glimpse",
    "Head",
    "Join",
    "Kernel",
    "Layer",
    "Pointwise",
    "Scan",
    "WalkCache",
    "WholeImage",
    "above_and_left",
    "concat_elu",
    "elu",
    "rows_above",
]
