"""Causal convolutions: strided, enlarging, masked, and the first one of a network, which sees the image.

Weights are normalised (Salimans and Kingma 2016) or plain.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layer import Layer
from .scan import Scan

Reach = tuple[int, int, int]


class Kernel(Layer):
    """The weights of a convolution, normalised (one gain for each slice of dimension 0) or plain."""

    def __init__(self, *shape: int, bias: bool = True, normalise: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(shape))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        norm = self.weight.detach().flatten(1).norm(dim=1).view(-1, *[1] * (len(shape) - 1))
        self.gain = nn.Parameter(norm) if normalise else None
        self.bias = nn.Parameter(torch.zeros(shape[0])) if bias else None

    def kernel(self) -> Tensor:
        """The effective weights: `gain * weight / |weight|`, or the plain ones."""
        return self.weight if self.gain is None else torch._weight_norm(self.weight, self.gain, 0)


class CausalConv(Kernel):
    """A convolution whose kernel covers `reach` = (rows above, columns left, columns right)."""

    def __init__(self, inputs: int, outputs: int, reach: Reach, stride: int = 1, normalise: bool = True):
        top, left, right = reach
        super().__init__(outputs, inputs, top + 1, left + 1 + right, normalise=normalise)
        self.reach, self.stride = reach, stride

    def forward(self, x: Tensor, scan: Scan) -> Tensor:
        return scan.convolve(self, x)


def rows_above(inputs: int, outputs: int, stride: int = 1) -> CausalConv:
    """The 2x3 convolution of a vertical stream: this row and the one above, both sides."""
    return CausalConv(inputs, outputs, (1, 1, 1), stride)


def above_and_left(inputs: int, outputs: int, stride: int = 1) -> CausalConv:
    """The 2x2 convolution of a horizontal stream: above, and to the left."""
    return CausalConv(inputs, outputs, (1, 1, 0), stride)


class Enlarge(Kernel):
    """A transposed convolution with stride 2, as published: the kernel is `2 x width`."""

    def __init__(self, channels: int, width: int):
        super().__init__(channels, channels, 2, width)
        self.crop = (width - 1) // 2

    def forward(self, x: Tensor, scan: Scan, like: Tensor) -> Tensor:
        return scan.enlarge(self, x, like)


class Pointwise(Kernel):
    """A 1x1 convolution ('network in network')."""

    reach, stride = (0, 0, 0), 1

    def __init__(self, inputs: int, outputs: int, normalise: bool = True):
        super().__init__(outputs, inputs, 1, 1, normalise=normalise)

    def forward(self, x: Tensor, scan: Scan) -> Tensor:
        return scan.valid(self, x)


class Head(Pointwise):
    """The last 1x1 convolution of a network, to the parameters of the pixels."""

    def forward(self, x: Tensor, scan: Scan) -> Tensor:
        return scan.parameters(self, x)


class FirstConv(Kernel):
    """The first convolution of a network, on the image itself, shifted by `shift` = (down, right).

    As published for PixelCNN++, the *output* is shifted: its first row or column is zero, not bias. `prepare`
    adds what belongs to the image inside its borders (a channel of ones, the label's channels) to a window.
    """

    def __init__(
        self, inputs: int, outputs: int, reach: Reach, shift: tuple[int, int] = (0, 0), normalise: bool = True
    ):
        top, left, right = reach
        super().__init__(outputs, inputs, top + 1, left + 1 + right, normalise=normalise)
        self.reach, self.stride, self.shift = reach, 1, shift

    def forward(self, image: Tensor, scan: Scan, prepare: Callable[[Tensor], Tensor]) -> Tensor:
        top, left, right = self.reach
        (down, across), (rows, columns) = self.shift, scan.cells(image)
        height, width = rows[1] - rows[0], columns[1] - columns[0]
        r0, c0 = max(rows[0] - down, 0), max(columns[0] - across, 0)
        r1, c1 = rows[1] - down, columns[1] - across
        if r1 <= r0 or c1 <= c0:
            rows_of_all = len(
                prepare(image[:, :, :0, :0])
            )  # more than images where the label's channels are added
            return image.new_zeros(rows_of_all, len(self.weight), height, width)
        seen = window(image, (r0 - top, r1), (c0 - left, c1 + right), prepare)
        y = scan.valid(self, seen)
        missing = width - (c1 - c0), height - (r1 - r0)
        return F.pad(y, (missing[0], 0, missing[1], 0)) if any(missing) else y


def window(
    image: Tensor, rows: tuple[int, int], columns: tuple[int, int], prepare: Callable[[Tensor], Tensor]
) -> Tensor:
    """Rows and columns of an image `(b, c, H, W)`, prepared, and zero where they lie outside it."""
    height, width = image.shape[2:]
    r0, r1, c0, c1 = max(rows[0], 0), min(rows[1], height), max(columns[0], 0), min(columns[1], width)
    outside = (c0 - columns[0], columns[1] - c1, r0 - rows[0], rows[1] - r1)
    inside = prepare(image[:, :, r0:r1, c0:c1])
    return F.pad(inside, outside) if any(outside) else inside
