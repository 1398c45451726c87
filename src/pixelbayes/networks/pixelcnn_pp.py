"""PixelCNN++ (Salimans, Karpathy, Chen and Kingma 2017, Figure 2).

Two streams. The vertical one sees all the rows above; the horizontal one sees this row to the left as
well, and reads the vertical one. Each is a U: blocks at full size, at half and at a quarter, and back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from torch import Tensor, nn

from ..causal import (
    ACTIVATIONS,
    CausalConv,
    Enlarge,
    Feature,
    FirstConv,
    GatedResidual,
    Head,
    Layer,
    Scan,
    above_and_left,
    elu,
    rows_above,
)
from ..fusion import Frame, Fusion
from ..levels import ImageShape
from .network import Network, NetworkConfig


@dataclass(frozen=True)
class PixelCNNPPConfig(NetworkConfig):
    """`resnets` blocks a resolution, `filters` channels, `scales` resolutions; `residual=False` is report 2's
    'pure convolution'."""

    resnets: int = 5
    filters: int = 160
    activation: str = "concat_elu"
    dropout: float = 0.5
    scales: int = 3
    residual: bool = True

    def __post_init__(self) -> None:
        self.require_positive("resnets", "filters", "scales")
        self.require_share("dropout")
        ACTIVATIONS[self.activation]

    def build(self, shape: ImageShape, outputs: int, fusion: Fusion) -> Network:
        return PixelCNNPP(self, shape.channels, outputs, fusion)


class Features(NamedTuple):
    """Every block's output in one stream, shaped like the U that made it."""

    encode: Sequence[Feature | None]
    inner: "Features | None"
    decode: Sequence[Feature | None]


class Level(Layer):
    """One resolution of a stream: encode, the coarser level, decode."""

    def __init__(self, config: PixelCNNPPConfig, stream: str, scales: int, fusion: Fusion):
        super().__init__()
        width, n = config.filters, config.resnets
        convolution: Callable[..., CausalConv] = rows_above if stream == "above" else above_and_left
        block = partial(
            GatedResidual,
            width,
            convolution,
            ACTIVATIONS[config.activation],
            config.dropout,
            partial(fusion.place, stream=stream),
            above=width if stream == "left" else 0,
            residual=config.residual,
        )
        self.encode = nn.ModuleList(block() for _ in range(n))
        self.inner: Level | None = None
        if scales > 1:
            self.fuse_shrink = fusion.place("shrink", width, stream)
            self.shrink = convolution(width, width, stride=2)
            self.inner = Level(config, stream, scales - 1, fusion)
            self.enlarge = Enlarge(width, 3 if stream == "above" else 2)
        else:
            self.fuse_decode = fusion.place("decode", width, stream)
        self.decode = nn.ModuleList(block(skip=width) for _ in range(n + (scales > 1)))

    def forward(
        self, x: Feature, y: Tensor | None, scan: Scan, beside: Features | None
    ) -> tuple[Feature, Features]:
        beside = beside or Features([None] * len(self.encode), None, [None] * len(self.decode))
        skips = [x]
        for block, above in zip(self.encode, beside.encode, strict=True):
            skips.append(block(skips[-1], y, scan, above=above))
        encoded, inner = skips[1:], None
        if self.inner is None:
            x = skips.pop()
            x = Feature(self.fuse_decode(x.value, y, scan), x.activation)
        else:
            x, inner = self.through_coarser(self.inner, skips[-1], y, scan, beside.inner)
        decoded = []
        for block, above in zip(self.decode, beside.decode, strict=True):
            x = block(x, y, scan, above=above, skip=skips.pop())
            decoded.append(x)
        return x, Features(encoded, inner, decoded)

    def through_coarser(
        self, level: "Level", x: Feature, y: Tensor | None, scan: Scan, beside: Features | None
    ) -> tuple[Feature, Features | None]:
        coarse = scan.coarser()
        small = self.shrink(self.fuse_shrink(x.value, y, scan), scan)

        def look() -> tuple[Tensor, Features]:
            out, features = level(Feature(small, x.activation), y, coarse, beside)
            return out.value, features

        value, features = coarse.recall(self, look)
        return Feature(self.enlarge(value, scan, x.value), x.activation), features


class Stream(Layer):
    """A U with the label's places before and after it."""

    def __init__(self, config: PixelCNNPPConfig, stream: str, fusion: Fusion):
        super().__init__()
        self.activation = ACTIVATIONS[config.activation]
        self.fuse_stem, self.fuse_encode, self.fuse_head = (
            fusion.place(site, config.filters, stream) for site in ("stem", "encode", "head")
        )
        self.level = Level(config, stream, config.scales, fusion)

    def forward(
        self, x: Tensor, y: Tensor | None, scan: Scan, beside: Features | None = None
    ) -> tuple[Feature, Features]:
        x = self.fuse_encode(self.fuse_stem(x, y, scan), y, scan)
        out, features = self.level(Feature(x, self.activation), y, scan, beside)
        last = Feature(self.fuse_head(out.value, y, scan), self.activation)
        return last, features._replace(decode=[*features.decode[:-1], last])


class PixelCNNPP(Network):
    """The two streams, and a 1x1 convolution to the parameters."""

    shares_classes = True

    def __init__(self, config: PixelCNNPPConfig, channels: int, outputs: int, fusion: Fusion):
        super().__init__()
        width = config.filters
        self.code = fusion.offer_input(ones=True)
        inputs = channels + self.code.image_channels
        self.first_above = FirstConv(inputs, width, reach=(1, 1, 1), shift=(1, 0))
        self.first_row = FirstConv(inputs, width, reach=(0, 1, 1), shift=(1, 0))
        self.first_left = FirstConv(inputs, width, reach=(1, 0, 0), shift=(0, 1))
        self.above, self.left = (Stream(config, stream, fusion) for stream in ("above", "left"))
        self.head_activation = elu if config.activation == "concat_elu" else ACTIVATIONS[config.activation]
        self.head = Head(width, outputs)

    def look(self, image: Tensor, frame: Frame, y: Tensor | None, scan: Scan) -> Tensor:
        above = scan.rows(self.above, lambda row: self.above(self.first_above(image, row, frame), y, row)[1])
        start = scan.over_row(self.first_row, lambda row: self.first_row(image, row, frame))
        x, _ = self.left(start + self.first_left(image, scan, frame), y, scan, above)
        return self.head(self.head_activation(x.value), scan)
