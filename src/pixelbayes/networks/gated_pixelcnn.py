"""Gated PixelCNN (van den Oord et al. 2016, Conditional image generation with PixelCNN decoders, Figure 2).

A vertical stack sees all the rows above, a horizontal one this row to the left and the vertical one: no blind
spot. Every layer ends in a gate, tanh(a) * sigmoid(b), to which the class adds its bias.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from ..causal import CausalConv, FirstConv, Head, Layer, Pointwise, Scan
from ..errors import UserError
from ..fusion import Frame, Fusion
from ..levels import ImageShape
from .network import Network, NetworkConfig


@dataclass(frozen=True)
class GatedPixelCNNConfig(NetworkConfig):
    """`layers` gated layers of `filters` channels; `first_kernel` and `kernel` are the sizes of the masks."""

    layers: int = 10
    filters: int = 64
    first_kernel: int = 7
    kernel: int = 5
    dropout: float = 0.0

    def __post_init__(self) -> None:
        self.require_positive("layers", "filters")
        self.require_share("dropout")
        for name in ("first_kernel", "kernel"):
            if getattr(self, name) < 3 or getattr(self, name) % 2 == 0:
                raise UserError(f"network.{name} must be an odd number from 3 up, not {getattr(self, name)}")

    def build(self, shape: ImageShape, outputs: int, fusion: Fusion) -> Network:
        return GatedPixelCNN(self, shape.channels, outputs, fusion)


def tanh_gate(x: Tensor) -> Tensor:
    """tanh of the first half of the channels times sigmoid of the second (eq. 2)."""
    value, opening = x.chunk(2, 1)
    return value.tanh() * opening.sigmoid()


class VerticalLayer(Layer):
    """Rows above -> the gate's input, and its output, which the last layer need not make."""

    def __init__(self, config: GatedPixelCNNConfig, fusion: Fusion, last: bool):
        super().__init__()
        width, half = config.filters, config.kernel // 2
        self.fuse_before = fusion.place("before", width, "above")
        self.look = CausalConv(width, 2 * width, (half, half, half), normalise=False)
        self.fuse_leave = None if last else fusion.place("leave", 2 * width, "above")

    def forward(self, x: Tensor, y: Tensor | None, scan: Scan) -> tuple[Tensor, Tensor]:
        looked = self.look(self.fuse_before(x, y, scan), scan)
        return looked, x if self.fuse_leave is None else tanh_gate(self.fuse_leave(looked, y, scan))


class HorizontalLayer(Layer):
    """This row to the left, and the vertical layer beside it."""

    def __init__(self, config: GatedPixelCNNConfig, fusion: Fusion):
        super().__init__()
        width = config.filters
        self.fuse_before = fusion.place("before", width, "left")
        self.look = CausalConv(width, 2 * width, (0, config.kernel // 2, 0), normalise=False)
        self.join = Pointwise(2 * width, 2 * width, normalise=False)
        self.fuse_leave = fusion.place("leave", 2 * width, "left")
        self.dropout = nn.Dropout2d(config.dropout)
        self.back = Pointwise(width, width, normalise=False)

    def forward(self, x: Tensor, above: Tensor, y: Tensor | None, scan: Scan) -> Tensor:
        h = self.look(self.fuse_before(x, y, scan), scan)
        h = scan.add(h, scan.over_row(self.join, lambda row: self.join(above, row)))
        h = tanh_gate(self.fuse_leave(h, y, scan))
        return scan.add(x, self.back(scan.drop(self.dropout, h), scan))


class GatedPixelCNN(Network):
    """Both stacks, and two 1x1 convolutions to the parameters."""

    shares_classes = True

    def __init__(self, config: GatedPixelCNNConfig, channels: int, outputs: int, fusion: Fusion):
        super().__init__()
        width, half = config.filters, config.first_kernel // 2
        self.code = fusion.offer_input()
        inputs = channels + self.code.image_channels
        self.first_above = FirstConv(inputs, width, (half - 1, half, half), shift=(1, 0), normalise=False)
        self.first_left = FirstConv(inputs, width, (0, half - 1, 0), shift=(0, 1), normalise=False)
        self.stem_above, self.stem_left = (
            fusion.place("stem", width, stream) for stream in ("above", "left")
        )
        self.vertical = nn.ModuleList(
            VerticalLayer(config, fusion, last=number == config.layers)
            for number in range(1, config.layers + 1)
        )
        self.horizontal = nn.ModuleList(HorizontalLayer(config, fusion) for _ in range(config.layers))
        self.mix = Pointwise(width, width, normalise=False)
        self.fuse_head = fusion.place("head", width, "left")
        self.head = Head(width, outputs, normalise=False)

    def look(self, image: Tensor, frame: Frame, y: Tensor | None, scan: Scan) -> Tensor:
        above = scan.rows(self, lambda row: self.look_above(self.first_above(image, row, frame), y, row))
        x = self.stem_left(self.first_left(image, scan, frame), y, scan)
        for layer, looked in zip(self.horizontal, above, strict=True):
            x = layer(x, looked, y, scan)
        x = self.fuse_head(self.mix(F.relu(x), scan), y, scan)
        return self.head(F.relu(x), scan)

    def look_above(self, x: Tensor, y: Tensor | None, row: Scan) -> list[Tensor]:
        """What each layer of the vertical stack saw, before its gate."""
        x = self.stem_above(x, y, row)
        seen = []
        for layer in self.vertical:
            looked, x = layer(x, y, row)
            seen.append(looked)
        return seen
