"""PixelSNAIL (Chen, Mishra, Rohaninejad and Abbeel 2018, Figure 2).

Blocks of causal convolutions, each followed by causal attention over all the past; the keys and values see the
image itself, the features and the position.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ..causal import (
    ACTIVATIONS,
    Feature,
    FirstConv,
    GatedResidual,
    Head,
    Layer,
    Pointwise,
    Scan,
    above_and_left,
    elu,
)
from ..causal.attention import attend
from ..causal.scan import Span
from ..fusion import Frame, Fusion, untouched
from ..levels import ImageShape
from .network import Network, NetworkConfig


@dataclass(frozen=True)
class PixelSNAILConfig(NetworkConfig):
    """`blocks` of `resnets` convolutions and one attention, with `filters` channels and keys of `key_width`."""

    blocks: int = 4
    resnets: int = 2
    filters: int = 64
    key_width: int = 16
    activation: str = "concat_elu"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        self.require_positive("blocks", "resnets", "filters", "key_width")
        self.require_share("dropout")
        ACTIVATIONS[self.activation]

    def build(self, shape: ImageShape, outputs: int, fusion: Fusion) -> Network:
        return PixelSNAIL(self, shape, outputs, fusion)


def positions(rows: Span, columns: Span, size: tuple[int, int], like: Tensor) -> Tensor:
    """Row and column of each cell, each scaled to [-1/2, 1/2], `(b, 2, h, w)`."""
    axes = [
        torch.arange(*span, device=like.device, dtype=like.dtype) / max(length - 1, 1) - 0.5
        for span, length in zip((rows, columns), size, strict=True)
    ]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    return grid.expand(like.shape[0], -1, -1, -1)


class AttentionBlock(Layer):
    """Convolutions, then attention to the past, read through gated 1x1 convolutions."""

    def __init__(self, config: PixelSNAILConfig, channels: int, fusion: Fusion):
        super().__init__()
        width, self.key_width = config.filters, config.key_width
        self.activation = ACTIVATIONS[config.activation]
        block = partial(GatedResidual, activation=self.activation, dropout=config.dropout)
        self.resnets = nn.ModuleList(
            block(width, above_and_left, place=partial(fusion.place)) for _ in range(config.resnets)
        )
        pointwise = partial(block, convolution=Pointwise, place=lambda site, channels: untouched)
        self.content = pointwise(channels + width + 2)
        self.to_content = Pointwise(channels + width + 2, config.key_width + width // 2)
        self.question = pointwise(width + 2)
        self.to_query = Pointwise(width + 2, config.key_width)
        self.join = pointwise(width, skip=width // 2)

    def forward(self, image: Tensor, x: Feature, y: Tensor | None, scan: Scan) -> Feature:
        for resnet in self.resnets:
            x = resnet(x, y, scan)
        size = image.shape[2], image.shape[3]

        def project(own: Tensor, features: Tensor, rows: Span, columns: Span) -> tuple[Tensor, Tensor]:
            own, features = scan.meet(own, features)
            seen = torch.cat([own, features, positions(rows, columns, size, own)], 1)
            content = self.to_content(self.content(Feature(seen, self.activation), y, scan).value, scan)
            return content[:, : self.key_width], content[:, self.key_width :]

        here = torch.cat([x.value, positions(*scan.cells(image), size, x.value)], 1)
        query = self.to_query(self.question(Feature(here, self.activation), y, scan).value, scan)
        attended = attend(query, *scan.past(self, image, x.value, project))
        return self.join(x, y, scan, skip=Feature(attended, self.activation))


class PixelSNAIL(Network):
    """The blocks, and a 1x1 convolution to the parameters."""

    shares_classes = True

    def __init__(self, config: PixelSNAILConfig, shape: ImageShape, outputs: int, fusion: Fusion):
        super().__init__()
        width = config.filters
        self.activation = ACTIVATIONS[config.activation]
        self.code = fusion.offer_input(ones=True)
        inputs = shape.channels + self.code.image_channels
        self.first_row = FirstConv(inputs, width, reach=(0, 1, 1), shift=(1, 0))
        self.first_left = FirstConv(inputs, width, reach=(1, 0, 0), shift=(0, 1))
        self.fuse_stem = fusion.place("stem", width)
        self.blocks = nn.ModuleList(
            AttentionBlock(config, shape.channels, fusion) for _ in range(config.blocks)
        )
        self.fuse_head = fusion.place("head", width)
        self.head = Head(width, outputs)

    def look(self, image: Tensor, frame: Frame, y: Tensor | None, scan: Scan) -> Tensor:
        start = scan.over_row(self.first_row, lambda row: self.first_row(image, row, frame))
        x = self.fuse_stem(start + self.first_left(image, scan, frame), y, scan)
        feature = Feature(x, self.activation)
        for block in self.blocks:
            feature = block(image, feature, y, scan)
        return self.head(elu(self.fuse_head(feature.value, y, scan)), scan)
