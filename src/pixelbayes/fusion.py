"""How a label enters a network: a table of strategies.

A strategy says at which *sites* a label acts and by which *operation*. Networks offer sites; every strategy
runs in every network that has its sites. y is the label's code: one-hot, or a learned embedding.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .causal.layer import Layer
from .causal.masked import group_sizes
from .causal.residual import Fuse
from .causal.scan import Scan
from .errors import UserError
from .registry import Registry

SITES = ("input", "stem", "encode", "decode", "head", "before", "enter", "leave", "shrink")
STREAMS = ("above", "left")


class Operation(Layer):
    """What a label does at one place: features `(b, channels, h, w)`, code `(b, width)` -> features.

    `channelwise` says that a channel of the result needs that channel alone. An operation of which that is not
    known is made once for each colour in a network with colour masks, so that R does not see G.
    """

    channelwise = False

    def __init__(self, width: int, channels: int):
        super().__init__()

    def forward(self, h: Tensor, y: Tensor, scan: Scan) -> Tensor:
        raise NotImplementedError


def weights(width: int, channels: int) -> nn.Parameter:
    """W of W y; it starts near zero."""
    return nn.Parameter(torch.randn(channels, width) * 0.05)


def cells(y: Tensor, weight: Tensor) -> Tensor:
    """W y, as `(b, channels, 1, 1)`."""
    return F.linear(y, weight)[:, :, None, None]


class Bias(Operation):
    """h + W y."""

    channelwise = True

    def __init__(self, width: int, channels: int):
        super().__init__(width, channels)
        self.shift = weights(width, channels)

    def forward(self, h: Tensor, y: Tensor, scan: Scan) -> Tensor:
        return h + scan.constant(self, lambda: cells(y, self.shift))


class Scale(Operation):
    """h * (1 + W y): the scale starts at one."""

    channelwise = True

    def __init__(self, width: int, channels: int):
        super().__init__(width, channels)
        self.scale = weights(width, channels)

    def forward(self, h: Tensor, y: Tensor, scan: Scan) -> Tensor:
        return h * scan.constant(self, lambda: 1 + cells(y, self.scale))


class ScaleShift(Operation):
    """h * (1 + W y) + V y: feature-wise linear modulation (FiLM, Perez et al. 2018)."""

    channelwise = True

    def __init__(self, width: int, channels: int):
        super().__init__(width, channels)
        self.scale, self.shift = weights(width, channels), weights(width, channels)

    def forward(self, h: Tensor, y: Tensor, scan: Scan) -> Tensor:
        scale, shift = scan.constant(self, lambda: (1 + cells(y, self.scale), cells(y, self.shift)))
        return torch.addcmul(shift, h, scale)


class Attend(Operation):
    """h + attention of each cell to a few tokens made from the label's code (a question of report 4)."""

    tokens, key_width = 4, 16

    def __init__(self, width: int, channels: int):
        super().__init__(width, channels)
        self.query = nn.Conv2d(channels, self.key_width, 1)
        self.keys = nn.Linear(width, self.tokens * self.key_width)
        self.values = nn.Linear(width, self.tokens * channels)

    def forward(self, h: Tensor, y: Tensor, scan: Scan) -> Tensor:
        keys = self.keys(y).view(len(y), self.tokens, self.key_width)
        values = self.values(y).view(len(y), self.tokens, -1)
        scores = torch.einsum("btk,bkhw->bthw", keys, self.query(h)) / self.key_width**0.5
        return h + torch.einsum("bthw,btc->bchw", scores.softmax(1), values)


class ByColour(Operation):
    """An operation of its own for the channels of each colour."""

    def __init__(self, kind: type[Operation], width: int, channels: int, colours: int):
        super().__init__(width, channels)
        self.sizes = group_sizes(channels, colours)
        self.parts = nn.ModuleList(kind(width, size) for size in self.sizes)

    def forward(self, h: Tensor, y: Tensor, scan: Scan) -> Tensor:
        groups = h.split(self.sizes, 1)
        return torch.cat([part(group, y, scan) for part, group in zip(self.parts, groups, strict=True)], 1)


OPERATIONS: Registry[type[Operation]] = Registry(
    "operation", {"bias": Bias, "scale": Scale, "scale_shift": ScaleShift, "attend": Attend}
)
register_operation = OPERATIONS.register


@dataclass(frozen=True)
class Act:
    """One line of a strategy: an operation at a site, in some of the streams."""

    site: str
    operation: str = "bias"
    streams: tuple[str, ...] = STREAMS


@dataclass(frozen=True)
class Strategy:
    """A row of the table. `embedding` is the width of a learned code (0: one-hot); `shared`: one matrix a width."""

    acts: tuple[Act, ...]
    embedding: int = 0
    shared: bool = False
    summary: str = ""
    source: str = ""


STAGES = {
    f"{stream}{number}": Act(site, "bias", (name,))
    for number, site in enumerate(("stem", "encode", "decode", "head"), 1)
    for stream, name in (("u", "above"), ("ul", "left"))
}
"""Report 1's eight switches: stage 1 to 4 in the streams u (above) and ul (above and left)."""

STRATEGIES: Registry[Strategy] = Registry(
    "label strategy",
    {
        "none": Strategy((), summary="the label does not enter"),
        "mild": Strategy((Act("leave"),), summary="bias after the second convolution", source="report 3"),
        "gated": Strategy((Act("leave"),), summary="PixelCNN++G: the same as mild", source="report 2"),
        "strong": Strategy(
            (Act("enter"), Act("leave")), summary="bias after both convolutions", source="report 3"
        ),
        "stages": Strategy(
            tuple(STAGES.values()), summary="bias at chosen stages of both streams", source="report 1"
        ),
        "scale": Strategy(
            (Act("before", "scale"),), summary="scale before each block's convolution", source="report 2"
        ),
        "downsampling": Strategy(
            (Act("shrink", "scale"),),
            summary="other strided weights for each class",
            source="report 2, Fig. 6",
        ),
        "shared": Strategy(
            (Act("leave"),), shared=True, summary="one bias matrix for all layers", source="report 2"
        ),
        "input": Strategy(
            (Act("input", "channels"),), summary="extra channels of the image", source="report 2"
        ),
        "embedding": Strategy(
            (Act("stem"),), embedding=32, summary="bias of an embedding before the blocks", source="report 4"
        ),
        "film": Strategy(
            (Act("leave", "scale_shift"),),
            summary="scale and shift before the gate",
            source="Perez et al. 2018",
        ),
        "attention": Strategy(
            (Act("enter", "attend"),),
            embedding=32,
            summary="attention to label tokens",
            source="report 4's question",
        ),
    },
)
register_strategy = STRATEGIES.register


@dataclass(frozen=True)
class FusionConfig:
    """Which strategy, and what of it may be set.

    `embedding`: width of a learned code, 0 for one-hot, None for the strategy's own. `stages`: for the
    strategy 'stages', which of u1..u4, ul1..ul4 act.
    """

    strategy: str = "mild"
    embedding: int | None = None
    stages: tuple[str, ...] = tuple(STAGES)

    def row(self) -> Strategy:
        """The strategy with these settings; `UserError` for an unknown one."""
        row = STRATEGIES[self.strategy]
        if self.strategy == "stages":
            named = Registry("stage", STAGES)
            row = Strategy(tuple(named[stage] for stage in self.stages), row.embedding, row.shared)
        width = row.embedding if self.embedding is None else self.embedding
        if width < 0:
            raise UserError(f"fusion.embedding must be 0 (one-hot) or more, not {width}")
        return Strategy(row.acts, width, row.shared, row.summary, row.source)


def untouched(h: Tensor, y: Tensor | None, scan: Scan) -> Tensor:
    """A place where the label does not act."""
    return h


class Fused(Layer):
    """A place where the label acts by several operations."""

    def __init__(self, operations: list[Operation]):
        super().__init__()
        self.operations = nn.ModuleList(operations)

    def forward(self, h: Tensor, y: Tensor, scan: Scan) -> Tensor:
        for operation in self.operations:
            h = operation(h, y, scan)
        return h


class LabelCode(Layer):
    """Labels `(b,)` -> their code y `(b, width)`, one-hot or embedded; and what frames an image.

    The frame is what a first convolution finds beside the image inside its borders: a channel of ones, if
    the network wants it, and the label's channels, if they enter there.
    """

    def __init__(self, classes: int, embedding: int, in_image: bool):
        super().__init__()
        self.classes, self.in_image, self.ones = classes, in_image, False
        self.embed = nn.Embedding(classes, embedding) if classes and embedding else None
        self.width = embedding or classes

    @property
    def image_channels(self) -> int:
        return self.ones + (self.width if self.in_image else 0)

    def forward(self, label: Tensor | None, like: Tensor) -> Tensor | None:
        if label is None or not self.classes:
            return None
        return self.embed(label) if self.embed else F.one_hot(label.long(), self.classes).to(like.dtype)

    def frame(self, y: Tensor | None) -> Callable[[Tensor], Tensor]:
        """The function that adds the frame's channels to a window of the image."""

        def add(cells: Tensor) -> Tensor:
            framed = F.pad(cells, (0, 0, 0, 0, 0, 1), value=1.0) if self.ones else cells
            if y is None or not self.in_image:
                return framed
            return torch.cat([framed, y[:, :, None, None].expand(-1, -1, *cells.shape[2:])], 1)

        return add


@dataclass
class Fusion:
    """Hands a network under construction what acts at each of its places.

    A network whose channels are split over colours sets `colours` before it asks for places.
    """

    config: FusionConfig
    classes: int
    colours: int = 1
    _offered: set[tuple[str, str]] = field(default_factory=set)
    _shared: dict[tuple[str, int], Operation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.row = self.config.row() if self.classes else STRATEGIES["none"]
        in_image = any(act.site == "input" for act in self.row.acts)
        self.code = LabelCode(self.classes, self.row.embedding, in_image)

    def offer_input(self, ones: bool = False) -> LabelCode:
        """The label's code, for a network whose first convolutions take `code.image_channels` extra channels."""
        self.code.ones = ones
        self._offered |= {("input", stream) for stream in STREAMS}
        return self.code

    def place(self, site: str, channels: int, stream: str = "left") -> Fuse:
        """What acts at `site` of `stream` on features of `channels` channels."""
        self._offered.add((site, stream))
        acts = [act for act in self.row.acts if act.site == site and stream in act.streams]
        operations = [self._operation(act, channels) for act in acts]
        return Fused(operations) if len(operations) > 1 else operations[0] if operations else untouched

    def _operation(self, act: Act, channels: int) -> Operation:
        made = self._shared.get((act.operation, channels))
        if made is None or not self.row.shared:
            kind, width = OPERATIONS[act.operation], self.code.width
            apart = self.colours > 1 and not kind.channelwise
            made = ByColour(kind, width, channels, self.colours) if apart else kind(width, channels)
            self._shared[act.operation, channels] = made
        return made

    def check(self, network: str) -> None:
        """`UserError` where an act of the strategy found no place in the network."""
        sites = [site for site in SITES if any(offered[0] == site for offered in self._offered)]
        for act in self.row.acts:
            if not any((act.site, stream) in self._offered for stream in act.streams):
                raise UserError(
                    f"the label strategy '{self.config.strategy}' acts at '{act.site}' ({'/'.join(act.streams)}),"
                    f" which {network} does not have (its sites: {', '.join(sites)})"
                )
