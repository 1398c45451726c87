"""A small residual network for small images (He et al. 2016, with activations before convolutions)."""

from torch import Tensor, nn

WIDTHS = (32, 64, 128)
LARGEST_SIDE = 48
"""Of the first stage, in pixels: larger images are halved by the first convolutions."""


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut; normalisation and ReLU stand before each convolution."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first_norm = nn.BatchNorm2d(inputs)
        self.first = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        alike = stride == 1 and inputs == outputs
        self.shortcut = None if alike else nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.activate = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        active = self.activate(self.first_norm(x))
        identity = x if self.shortcut is None else self.shortcut(active)
        return identity + self.second(self.activate(self.second_norm(self.first(active))))


class ResidualNetwork(nn.Module):
    """Signal (n, C, H, W) in [-1, 1] -> logits (n, classes); `features` gives what the last layer reads, (n, 128).

    Three stages of two blocks, each at half the resolution of the one before; the mean over all places makes it take
    any size.
    """

    def __init__(self, channels: int, classes: int, side: int, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        stem: list[nn.Module] = []
        inputs = channels
        while True:
            halve = side > LARGEST_SIDE
            stem += [nn.Conv2d(inputs, widths[0], 3, 2 if halve else 1, padding=1, bias=False)]
            inputs, side = widths[0], -(-side // 2) if halve else side
            if not halve:
                break
            stem += [nn.BatchNorm2d(inputs), nn.ReLU()]
        self.stem = nn.Sequential(*stem)
        blocks: list[nn.Module] = []
        for stage, width in enumerate(widths):
            blocks += [Block(inputs, width, 1 if stage == 0 else 2), Block(width, width, 1)]
            inputs = width
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(inputs, classes)

    def features(self, signal: Tensor) -> Tensor:
        """What the last layer reads, (n, 128)."""
        return self.last(self.blocks(self.stem(signal)))

    def forward(self, signal: Tensor) -> Tensor:
        return self.head(self.features(signal))
