"""Activations and the gated residual block (van den Oord et al. 2016; Salimans et al. 2017, section 2.4)."""

from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import Registry
from .convolution import CausalConv, Kernel
from .elementwise import concat_elu, elu, gate
from .layer import Layer
from .scan import Scan


class Activation:
    """A nonlinearity and the factor by which it widens the channels."""

    def __init__(self, function: Callable[[Tensor], Tensor], widening: int = 1):
        self.function, self.widening = function, widening

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x)


ACTIVATIONS: Registry[Activation] = Registry(
    "activation",
    {
        "concat_elu": Activation(concat_elu, 2),
        "elu": Activation(elu),
        "relu": Activation(F.relu),
        "tanh": Activation(torch.tanh),
    },
)


class Feature:
    """Features and their activation, which all their readers share: it is computed once."""

    def __init__(self, value: Tensor, activation: Activation):
        self.value, self.activation = value, activation
        self._active: Tensor | None = None

    @property
    def active(self) -> Tensor:
        if self._active is None:
            self._active = self.activation.function(self.value)
        return self._active


class Fuse(Protocol):
    """How a label enters at one place: features and the label's code -> features."""

    def __call__(self, h: Tensor, y: Tensor | None, scan: Scan) -> Tensor: ...


class Place(Protocol):
    """Makes the fusion of one site of a block, for features of so many channels."""

    def __call__(self, site: str, channels: int) -> Fuse: ...


class InputChannels:
    """Some input channels of a 1x1 convolution, as a convolution of their own."""

    reach, stride = (0, 0, 0), 1

    def __init__(self, whole: Kernel, start: int, stop: int, with_bias: bool):
        self.whole, self.start, self.stop, self.with_bias = whole, start, stop, with_bias

    @property
    def bias(self) -> Tensor | None:
        return self.whole.bias if self.with_bias else None

    def kernel(self) -> Tensor:
        return self.whole.kernel()[:, self.start : self.stop]


class Join(Kernel):
    """A 1x1 convolution over the activations of other features: those of whole rows above, and a skip.

    One kernel over all of them, as published; the part of the rows above is computed once a row.
    """

    def __init__(self, above: int, skip: int, outputs: int):
        super().__init__(outputs, above + skip, 1, 1)
        self.above = InputChannels(self, 0, above, with_bias=True)
        self.skip = InputChannels(self, above, above + skip, with_bias=not above)

    def forward(self, h: Tensor, above: Feature | None, skip: Feature | None, scan: Scan) -> Tensor:
        """h plus what it reads of them."""
        if above is not None:
            h = scan.add(h, scan.over_row(self, lambda row: row.valid(self.above, above.active)))
        return h if skip is None else scan.valid(self.skip, skip.active, onto=h)


class GatedResidual(Layer):
    """x + a * sigmoid(b), where a and b come from two convolutions, other features and the label.

    `residual=False` is report 2's 'pure convolution': nothing is added to a * sigmoid(b).
    """

    def __init__(
        self,
        width: int,
        convolution: Callable[[int, int], CausalConv],
        activation: Activation,
        dropout: float,
        place: Place,
        above: int = 0,
        skip: int = 0,
        residual: bool = True,
    ):
        super().__init__()
        k = activation.widening
        self.activation, self.residual = activation, residual
        self.fuse_before = place("before", k * width)
        self.enter = convolution(k * width, width)
        self.fuse_enter = place("enter", width)
        self.join = Join(k * above, k * skip, width) if above or skip else None
        self.dropout = nn.Dropout2d(dropout)
        self.leave = convolution(k * width, 2 * width)
        self.fuse_leave = place("leave", 2 * width)

    def forward(
        self,
        x: Feature,
        y: Tensor | None,
        scan: Scan,
        above: Feature | None = None,
        skip: Feature | None = None,
    ) -> Feature:
        h = scan.convolve(self.enter, self.fuse_before(x.active, y, scan))
        h = self.fuse_enter(h, y, scan)
        if self.join is not None:
            h = self.join(h, above, skip, scan)
        h = self.activation.function(h)
        h = scan.convolve(self.leave, scan.drop(self.dropout, h) if self.training else h)
        h = self.fuse_leave(h, y, scan)
        if not self.residual:
            return Feature(gate(h), self.activation)
        return Feature(gate(*scan.meet(h, x.value)), self.activation)
