"""PixelCNN with masked convolutions (van den Oord et al. 2016, PixelRNN), as in report 5.

A 7x7 convolution with mask A; residual blocks of 1x1, 7x7 and 1x1; two 1x1 convolutions to the parameters.
A stack of masked convolutions has a blind spot: pixels above, far to the right, are not seen.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from ..causal import Layer, Scan
from ..causal.masked import ColourNorm, MaskedConv, MaskedFirstConv
from ..errors import UserError
from ..fusion import Frame, Fusion
from ..levels import ImageShape
from .network import Network, NetworkConfig


@dataclass(frozen=True)
class PixelCNNConfig(NetworkConfig):
    """`blocks` residual blocks of `filters` channels. With `colour_masks` G sees R, and B sees R and G, inside
    the network (a pixel is looked at three times); `layer_norm` and `skip` connections can be switched."""

    blocks: int = 5
    filters: int = 64
    kernel: int = 7
    colour_masks: bool = True
    layer_norm: bool = True
    skip: bool = True
    dropout: float = 0.0

    def __post_init__(self) -> None:
        self.require_positive("blocks", "filters")
        self.require_share("dropout")
        if self.kernel < 3 or self.kernel % 2 == 0:
            raise UserError(f"network.kernel must be an odd number from 3 up, not {self.kernel}")

    def by_channel(self, shape: ImageShape) -> bool:
        return self.colour_masks and shape.channels > 1

    def build(self, shape: ImageShape, outputs: int, fusion: Fusion) -> Network:
        groups = shape.channels if self.by_channel(shape) else 1
        if self.filters < 2 * groups:
            raise UserError(f"network.filters must be at least {2 * groups} here, not {self.filters}")
        return PixelCNN(self, shape.channels, groups, outputs, fusion)


class Block(Layer):
    """Normalise; ReLU and 1x1 to half the filters; ReLU and 7x7; ReLU and 1x1 back; add."""

    def __init__(self, config: PixelCNNConfig, groups: int, fusion: Fusion):
        super().__init__()
        width, half = config.filters, config.filters // 2
        self.skip = config.skip
        self.norm = ColourNorm(width, groups) if config.layer_norm else nn.Identity()
        self.fuse_before = fusion.place("before", width)
        self.narrow = MaskedConv(width, half, 1, groups)
        self.fuse_enter = fusion.place("enter", half)
        self.look = MaskedConv(half, half, config.kernel, groups)
        self.fuse_leave = fusion.place("leave", half)
        self.dropout = nn.Dropout2d(config.dropout)
        self.widen = MaskedConv(half, width, 1, groups)

    def forward(self, x: Tensor, y: Tensor | None, scan: Scan) -> Tensor:
        h = self.fuse_before(F.relu(self.norm(x)), y, scan)
        h = self.fuse_enter(self.narrow(h, scan), y, scan)
        h = self.fuse_leave(self.look(F.relu(h), scan), y, scan)
        h = self.widen(scan.drop(self.dropout, F.relu(h)), scan)
        return scan.add(x, h) if self.skip else h


class PixelCNN(Network):
    """The first convolution, the blocks, and two 1x1 convolutions to the parameters."""

    shares_classes = True

    def __init__(self, config: PixelCNNConfig, channels: int, groups: int, outputs: int, fusion: Fusion):
        super().__init__()
        width, fusion.colours = config.filters, groups
        self.code = fusion.offer_input()
        self.first = MaskedFirstConv(channels, width, config.kernel, groups, self.code.image_channels)
        self.fuse_stem = fusion.place("stem", width)
        self.blocks = nn.ModuleList(Block(config, groups, fusion) for _ in range(config.blocks))
        self.mix = MaskedConv(width, width, 1, groups)
        self.fuse_head = fusion.place("head", width)
        self.head = MaskedConv(width, outputs, 1, groups)

    def look(self, image: Tensor, frame: Frame, y: Tensor | None, scan: Scan) -> Tensor:
        x = self.fuse_stem(self.first(image, scan, frame), y, scan)
        for block in self.blocks:
            x = block(x, y, scan)
        x = self.fuse_head(self.mix(F.relu(x), scan), y, scan)
        return self.head(F.relu(x), scan)
