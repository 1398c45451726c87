"""How a label enters a network: a table of strategies.

A strategy says at which *sites* a label acts and by which *operation*. Networks offer sites; every strategy
runs in every network that has its sites. y is the label's code: one-hot, or a learned embedding.
"""

from .operations import OPERATIONS, Operation, cells, register_operation, weights
from .places import Frame, Fusion, LabelEmbedding, label_parameters, untouched
from .strategies import SITES, STAGES, STRATEGIES, STREAMS, Act, FusionConfig, Strategy, register_strategy

__all__ = [
    "OPERATIONS",
    "SITES",
    "STAGES",
    "STRATEGIES",
    "STREAMS",
    "Act",
    "Frame",
    "Fusion",
    "FusionConfig",
    "LabelEmbedding",
    "Operation",
    "Strategy",
    "cells",
    "label_parameters",
    "register_operation",
    "register_strategy",
    "untouched",
    "weights",
]
