"""The networks, one file for each paper."""

from typing import Any

from ..registry import Registry
from .gated_pixelcnn import GatedPixelCNNConfig
from .network import Network, NetworkConfig
from .pixelcnn import PixelCNNConfig
from .pixelcnn_pp import PixelCNNPPConfig
from .pixelsnail import PixelSNAILConfig

CONFIGS: Registry[type[Any]] = Registry(
    "network",
    {
        "pixelcnn": PixelCNNConfig,
        "gated_pixelcnn": GatedPixelCNNConfig,
        "pixelcnn_pp": PixelCNNPPConfig,
        "pixelsnail": PixelSNAILConfig,
    },
)

register_network = CONFIGS.register

__all__ = [
    "CONFIGS",
    "GatedPixelCNNConfig",
    "Network",
    "NetworkConfig",
    "PixelCNNConfig",
    "PixelCNNPPConfig",
    "PixelSNAILConfig",
    "register_network",
]
