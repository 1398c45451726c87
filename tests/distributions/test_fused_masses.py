"""The masses without gradients are those that have them, of any parameters, in pieces of any size."""

from typing import Any

import pytest
import torch
from torch import Tensor

from pixelbayes.distributions import LogisticMixture, PixelDistribution
from pixelbayes.distributions import fused_masses as fused
from pixelbayes.levels import ImageShape

CASES = [(3, False), (3, True), (1, False)]


def law(
    channels: int, by_channel: bool, levels: int, size: float, dtype: torch.dtype
) -> tuple[PixelDistribution, Tensor]:
    """Random distributions of 6 images of 16x16, and images of which a part lies at either end."""
    generator = torch.Generator().manual_seed(0)
    shape, config = ImageShape(channels, 16, 16, levels), LogisticMixture(3)
    count = config.parameters(shape, by_channel)
    parameters = torch.randn(6, count, 16, 16, generator=generator, dtype=dtype)
    parameters = parameters if size == 1 else parameters.sign() * size
    image = torch.randint(levels, (6, channels, 16, 16), generator=generator)
    image[:2, :, :8], image[1:3, :, 8:] = 0, levels - 1
    return config(parameters.requires_grad_(), shape, by_channel), image


def both(pixel: PixelDistribution, image: Tensor) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        quick = pixel.log_prob(image)
    return quick, pixel.log_prob(image).detach()


@pytest.mark.parametrize("size", [1.0, 10.0, 1e4, 1e30])
@pytest.mark.parametrize("levels", [2, 17, 256, 65_536])
@pytest.mark.parametrize(("channels", "by_channel"), CASES)
def test_equal_to_the_definition(channels: int, by_channel: bool, levels: int, size: float) -> None:
    quick, slow = both(*law(channels, by_channel, levels, size, torch.float64))
    assert quick.isfinite().all()
    torch.testing.assert_close(quick, slow, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("channels", "by_channel"), CASES)
def test_sums_of_an_image_agree_in_float32(channels: int, by_channel: bool) -> None:
    quick, slow = both(*law(channels, by_channel, 256, 1.0, torch.float32))
    torch.testing.assert_close(quick.double().sum((1, 2)), slow.double().sum((1, 2)), rtol=0, atol=1e-4)


@pytest.mark.parametrize("numbers", [1, 500, 3000])
@pytest.mark.parametrize(("channels", "by_channel"), CASES)
def test_pieces_of_rows_and_of_images(
    channels: int, by_channel: bool, numbers: int, monkeypatch: Any
) -> None:
    pixel, image = law(channels, by_channel, 256, 1.0, torch.float64)
    monkeypatch.setattr(fused, "PIECE_NUMBERS", numbers)
    torch.testing.assert_close(*both(pixel, image), rtol=1e-12, atol=1e-12)


def test_a_parameter_that_is_no_number_stays_one() -> None:
    pixel, image = law(3, False, 256, 1.0, torch.float32)
    with torch.no_grad():
        pixel.parameters[4, :, 3, 2] = torch.nan  # type: ignore[attr-defined]
        assert pixel.log_prob(image).isnan().nonzero().tolist() == [[4, 3, 2]]
