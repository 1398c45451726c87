"""Parameter counts of published configurations: those of the original code, or counted by hand from the figures."""

from typing import Any

import pytest

import pixelbayes as pb


def count(recipe: str, **overrides: Any) -> int:
    """Of an unconditional model."""
    model = pb.create(recipe, classes=(), **{"fusion.strategy": "none"}, **overrides)
    return sum(parameter.numel() for parameter in model.parameters())


def convolution(inputs: int, outputs: int, taps: int = 1) -> int:
    return inputs * outputs * taps + outputs


def normalised(inputs: int, outputs: int, taps: int = 1) -> int:
    """With a gain for each output (Salimans and Kingma 2016)."""
    return convolution(inputs, outputs, taps) + outputs


@pytest.mark.parametrize(
    ("resnets", "filters", "mixtures", "channels", "published"),
    [
        (5, 160, 10, 3, 53_659_080),  # Salimans et al. 2017 on CIFAR-10
        (5, 160, 10, 1, 53_644_220),
        (2, 100, 5, 3, 9_432_900),  # report 1
        (1, 40, 5, 3, 899_220),  # report 4
    ],
)
def test_pixelcnn_pp_has_as_many_as_its_port(
    resnets: int, filters: int, mixtures: int, channels: int, published: int
) -> None:
    """Counted from the port's own `PixelCNN(resnets, filters, mixtures, input_channels=channels)`."""
    sizes = {"network.resnets": resnets, "network.filters": filters, "distribution.mixtures": mixtures}
    assert count("report3-mild", **sizes, **{"data.channels": channels}) == published


@pytest.mark.parametrize("blocks", [5, 8, 10])
def test_pixelcnn_of_report_5(blocks: int) -> None:
    """Of a 7x7 kernel, the four rows that a mask lets through are kept; two logits a pixel."""
    width, half, taps = 64, 32, 4 * 7
    block = (
        2 * width  # layer normalisation
        + convolution(width, half)
        + convolution(half, half, taps)
        + convolution(half, width)
    )
    head = convolution(width, width) + convolution(width, 2)
    expected = convolution(1, width, taps) + blocks * block + head
    assert count(f"report5-mnist-{blocks}blocks") == expected


def test_gated_pixelcnn() -> None:
    """van den Oord et al. 2016, Figure 2: n x n becomes (n // 2 + 1) x n above and 1 x (n // 2 + 1) beside."""
    width, layers = 48, 6
    first = convolution(1, width, 3 * 7) + convolution(1, width, 3)
    vertical = convolution(width, 2 * width, 3 * 5)
    horizontal = (
        convolution(width, 2 * width, 3) + convolution(2 * width, 2 * width) + convolution(width, width)
    )
    head = convolution(width, width) + convolution(width, 1)
    expected = first + layers * (vertical + horizontal) + head
    sizes = {"filters": width, "layers": layers, "first_kernel": 7, "kernel": 5}
    assert count("mnist-gated-small", **{f"network.{name}": size for name, size in sizes.items()}) == expected


def test_pixelsnail() -> None:
    """Chen et al. 2018, Figure 2: 2x2 convolutions, then keys and values of image, features and position."""
    width, key, blocks, resnets = 32, 8, 3, 2

    def gated(channels: int, taps: int = 1, skip: int = 0) -> int:
        """A gated residual block of convolutions that read concatenated elus."""
        join = normalised(2 * skip, channels) if skip else 0
        return normalised(2 * channels, channels, taps) + join + normalised(2 * channels, 2 * channels, taps)

    content, question = 1 + width + 2, width + 2
    block = (
        resnets * gated(width, taps=4)
        + gated(content)
        + normalised(content, key + width // 2)
        + gated(question)
        + normalised(question, key)
        + gated(width, skip=width // 2)
    )
    first = normalised(2, width, 3) + normalised(2, width, 2)  # the image and a channel of ones
    expected = first + blocks * block + normalised(width, 1)
    sizes = {"filters": width, "key_width": key, "blocks": blocks, "resnets": resnets}
    assert count("mnist-snail-small", **{f"network.{name}": size for name, size in sizes.items()}) == expected
