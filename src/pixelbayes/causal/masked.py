"""Masked convolutions (van den Oord et al. 2016, PixelRNN, section 3.4), also across colours.

Channels belong to groups, one for each colour: R, then G, then B. At its own pixel, mask A lets a group see
the groups before it, mask B its own as well.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .convolution import FirstConv, Kernel
from .layer import Layer
from .scan import Scan


def group_sizes(channels: int, groups: int) -> list[int]:
    """`channels` split over `groups` as evenly as possible, the first ones larger.

    >>> group_sizes(64, 3)
    [22, 21, 21]
    """
    return [channels // groups + (index < channels % groups) for index in range(groups)]


def colours(channels: int, groups: int) -> Tensor:
    """The group of each channel."""
    return torch.repeat_interleave(
        torch.arange(groups), torch.tensor(group_sizes(channels, groups)), output_size=channels
    )


class Masked(Kernel):
    """A masked kernel: the rows above, the cells to the left, and what the mask lets through of its own.

    `extra` inputs, of a label, are seen by all.
    """

    mask: Tensor

    def __init__(self, inputs: int, outputs: int, size: int, kind: str, groups: int, extra: int = 0):
        half = size // 2
        super().__init__(outputs, inputs + extra, half + 1, size, normalise=False)
        source, target = colours(inputs, groups), colours(outputs, groups)[:, None]
        seen = source < target if kind == "A" else source <= target
        mask = torch.ones(outputs, inputs + extra, half + 1, size)
        mask[:, :, half, half + 1 :] = 0
        mask[:, :inputs, half, half] = seen.float()
        self.register_buffer("mask", mask, persistent=False)
        self.reach, self.stride, self.shift = (half, half, half), 1, (0, 0)

    def kernel(self) -> Tensor:
        return self.weight * self.mask.to(self.weight.dtype)


class MaskedConv(Masked):
    """A masked convolution of features (mask B)."""

    def __init__(self, inputs: int, outputs: int, size: int, groups: int):
        super().__init__(inputs, outputs, size, "B", groups)

    def forward(self, x: Tensor, scan: Scan) -> Tensor:
        return scan.convolve(self, x)


class MaskedFirstConv(Masked):
    """The first convolution of a masked network, on the image (mask A)."""

    def __init__(self, inputs: int, outputs: int, size: int, groups: int, extra: int = 0):
        super().__init__(inputs, outputs, size, "A", groups, extra)

    forward = FirstConv.forward


class ColourNorm(Layer):
    """Layer normalisation at each position, within each colour's group: over all channels R would see G."""

    def __init__(self, channels: int, groups: int):
        super().__init__()
        self.sizes = group_sizes(channels, groups)
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        parts = x.permute(0, 2, 3, 1).split(self.sizes, 3)
        normed = torch.cat([F.layer_norm(part, part.shape[3:]) for part in parts], 3)
        return torch.addcmul(self.bias, normed, self.weight).permute(0, 3, 1, 2)
