"""What a label does to features at one place: bias, scale, both, or attention to tokens made from it."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..causal.layer import Layer
from ..causal.masked import group_sizes
from ..causal.scan import Scan
from ..registry import Registry


class Operation(Layer):
    """What a label does at one place: features `(b, channels, h, w)`, code `(b, width)` -> features.

    Where the code holds every class of each image, features that no label has reached are widened before `forward`.

    `channelwise` says that a channel of the result needs that channel alone. An operation of which that is not
    known is made once for each colour in a network with colour masks, so that R does not see G.
    """

    channelwise = False
    widens = False
    """Whether this class's own `forward` itself makes n features those of n * K codes (`each`)."""

    def __init__(self, width: int, channels: int):
        super().__init__()

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        forward = cls.forward
        if cls.__dict__.get(
            "widens"
        ):  # not inherited: whoever writes a `forward` of their own need not know of it
            return

        def act(self: "Operation", h: Tensor, y: Tensor, scan: Scan) -> Tensor:
            return forward(self, scan.meet(h, y)[0], y, scan)

        cls.__call__ = act  # type: ignore[method-assign]

    def forward(self, h: Tensor, y: Tensor, scan: Scan) -> Tensor:
        raise NotImplementedError


def weights(width: int, channels: int) -> nn.Parameter:
    """W of W y; it starts near zero."""
    return nn.Parameter(torch.randn(channels, width) * 0.05)


def cells(y: Tensor, weight: Tensor) -> Tensor:
    """W y, as `(b, channels, 1, 1)`."""
    return F.linear(y, weight)[:, :, None, None]


def each(combine: Callable[..., Tensor], h: Tensor, *codes: Tensor) -> Tensor:
    """combine(h, *codes) of features `(n, c, h, w)` and codes `(n * K, c, 1, 1)`, K for each row of h, which is not
    copied."""
    if len(h) == len(codes[0]):
        return combine(h, *codes)
    wide = (code.flatten(1).view(len(h), -1, 1, 1, code.shape[1]) for code in codes)
    return combine(h.movedim(1, -1)[:, None], *wide).flatten(0, 1).movedim(-1, 1)


class Bias(Operation):
    """h + W y."""

    channelwise = widens = True

    def __init__(self, width: int, channels: int):
        super().__init__(width, channels)
        self.shift = weights(width, channels)

    def forward(self, h: Tensor, y: Tensor, scan: Scan) -> Tensor:
        return each(torch.add, h, scan.constant(self, lambda: cells(y, self.shift)))


class Scale(Operation):
    """h * (1 + W y): the scale starts at one."""

    channelwise = widens = True

    def __init__(self, width: int, channels: int):
        super().__init__(width, channels)
        self.scale = weights(width, channels)

    def forward(self, h: Tensor, y: Tensor, scan: Scan) -> Tensor:
        return each(torch.mul, h, scan.constant(self, lambda: 1 + cells(y, self.scale)))


def modulate(h: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return torch.addcmul(shift, h, scale)


class ScaleShift(Operation):
    """h * (1 + W y) + V y: feature-wise linear modulation (FiLM, Perez et al. 2018)."""

    channelwise = widens = True

    def __init__(self, width: int, channels: int):
        super().__init__(width, channels)
        self.scale, self.shift = weights(width, channels), weights(width, channels)

    def forward(self, h: Tensor, y: Tensor, scan: Scan) -> Tensor:
        scale, shift = scan.constant(self, lambda: (1 + cells(y, self.scale), cells(y, self.shift)))
        return each(modulate, h, scale, shift)


class Attend(Operation):
    """h + attention of each cell to a few tokens made from the label's code (a question of report 4)."""

    tokens, key_width = 4, 16

    def __init__(self, width: int, channels: int):
        super().__init__(width, channels)
        self.query = nn.Conv2d(channels, self.key_width, 1)
        self.keys = nn.Linear(width, self.tokens * self.key_width)
        self.values = nn.Linear(width, self.tokens * channels)

    def forward(self, h: Tensor, y: Tensor, scan: Scan) -> Tensor:
        keys, values = scan.constant(self, lambda: self._tokens(y))
        scores = torch.einsum("btk,bkhw->bthw", keys, self.query(h)) / self.key_width**0.5
        return h + torch.einsum("bthw,btc->bchw", scores.softmax(1), values)

    def _tokens(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Keys `(b, tokens, key_width)` and values `(b, tokens, channels)`."""
        keys, values = (part(y).unflatten(1, (self.tokens, -1)) for part in (self.keys, self.values))
        return keys, values


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
