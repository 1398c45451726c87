"""The places that a network offers, and what a strategy puts there."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..causal.layer import Layer
from ..causal.meeting import meet
from ..causal.residual import Fuse
from ..causal.scan import Scan
from ..errors import UserError
from ..views import GROUPS
from .operations import OPERATIONS, ByColour, Operation
from .strategies import SITES, STRATEGIES, STREAMS, Act, FusionConfig

Frame = Callable[[Tensor], Tensor]
"""Adds to a window of an image `(b, c, h, w)` the channels that frame it."""


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


class LabelEmbedding(Layer):
    """Labels `(b,)` -> their code y `(b, width)`, one-hot or embedded; and what frames an image.

    With `views`, a label is class + classes * view (the view alone without classes; upright, view 0, when None), and
    the view's one-hot code stands beside the class's.

    The frame is what a first convolution finds beside the image inside its borders: a channel of ones, if
    the network wants it, and the label's channels, if they enter there.
    """

    def __init__(self, classes: int, embedding: int, in_image: bool, views: int = 1):
        super().__init__()
        self.classes, self.in_image, self.ones, self.views = classes, in_image, False, views
        self.embed = nn.Embedding(classes, embedding) if classes and embedding else None
        self.width = ((embedding or classes) if classes else 0) + (views if views > 1 else 0)

    @property
    def image_channels(self) -> int:
        return self.ones + (self.width if self.in_image else 0)

    def forward(self, label: Tensor | None, like: Tensor) -> Tensor | None:
        if self.views == 1:
            return None if label is None or not self.classes else self._of_class(label, like)
        label = like.new_zeros(len(like), dtype=torch.long) if label is None else label.long()
        view = F.one_hot(label // max(1, self.classes), self.views).to(like.dtype)
        if not self.classes:
            return view
        return torch.cat([self._of_class(label % self.classes, like), view], 1)

    def _of_class(self, label: Tensor, like: Tensor) -> Tensor:
        return self.embed(label) if self.embed else F.one_hot(label.long(), self.classes).to(like.dtype)

    def frame(self, y: Tensor | None) -> Frame:
        """The function that adds the frame's channels to a window of the image; the same for every window."""
        label = y[:, :, None, None] if y is not None and self.in_image else None
        if not self.ones and label is None:
            return lambda cells: cells
        extra: list[Tensor] = []  # made from the first window, which tells type and device

        def add(cells: Tensor) -> Tensor:
            if not extra:
                rows = len(cells) if label is None else len(label)
                ones = [cells.new_ones(rows, 1, 1, 1)] if self.ones else []
                extra.append(torch.cat([*ones, *([] if label is None else [label])], 1))
            cells, more = meet(cells, extra[0])
            return torch.cat([cells, more.expand(-1, -1, *cells.shape[2:])], 1)

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
        views = len(GROUPS[self.config.views])
        self.row = self.config.row() if self.classes or views > 1 else STRATEGIES["none"]
        if views > 1 and not self.row.acts:
            raise UserError(
                "views enter where the label does, and the label strategy 'none' lets it enter nowhere"
            )
        in_image = any(act.site == "input" for act in self.row.acts)
        self.code = LabelEmbedding(self.classes, self.row.embedding, in_image, views)

    def offer_input(self, ones: bool = False) -> LabelEmbedding:
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
        if self.code.views > 1 and not self._offered:
            raise UserError(f'{network} has no place where a view could enter: set fusion.views = "none"')
        for act in self.row.acts:
            if not any((act.site, stream) in self._offered for stream in act.streams):
                raise UserError(
                    f"the label strategy '{self.config.strategy}' acts at '{act.site}' ({'/'.join(act.streams)}),"
                    f" which {network} does not have (its sites: {', '.join(sites)})"
                )


def label_parameters(module: nn.Module) -> list[nn.Parameter]:
    """The parameters that are the label's own: of what it does at its places, and of its learned code. A label that
    enters as channels of the image has none: its weights are part of the first convolution's."""
    parts = [part for part in module.modules() if isinstance(part, Operation | LabelEmbedding)]
    return list({id(item): item for part in parts for item in part.parameters()}.values())
