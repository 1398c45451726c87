"""What every pixel distribution must be: exact masses that sum to one, whatever the parameters."""

from typing import Any

import pytest
import torch
from torch import Tensor

from pixelbayes.distributions import Bernoulli, Categorical, LogisticMixture, PixelDistribution
from pixelbayes.errors import UserError
from pixelbayes.levels import ImageShape

MANY = 65_536
COUNTS = (2, 4, 8, 17, 256, MANY)
LOG_SCALES = (-60.0, -9.0, -1.0, 5.0, 60.0)
MEANS = (-30.0, -1.0, 0.013, 1.0, 30.0)


def cases() -> list[Any]:
    """Configuration, channels, levels, and whether a network looks once for every channel."""
    found: list[tuple[Any, int, int, bool]] = []
    for levels in COUNTS:
        found += [(LogisticMixture(3), 1, levels, False), (LogisticMixture(3), 3, levels, False)]
        found += [(LogisticMixture(2), 3, levels, True)]
        if levels <= 256:
            found += [(Categorical(), 1, levels, False), (Categorical(), 3, levels, True)]
    found += [(Bernoulli(), 1, 2, False), (Bernoulli(), 3, 2, False)]
    return [
        pytest.param(*case, id=f"{type(case[0]).__name__}-{case[1]}x{case[2]}-{case[3]}") for case in found
    ]


def pixels(
    config: Any,
    channels: int,
    levels: int,
    by_channel: bool,
    cells: int,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> PixelDistribution:
    """One pixel's random distribution, repeated `cells` times: `(1, P, 1, cells)`."""
    shape = ImageShape(channels, 1, cells, levels)
    count = config.parameters(shape, by_channel)
    generator = torch.Generator().manual_seed(seed)
    parameters = torch.randn(1, count, 1, 1, generator=generator, dtype=torch.float64).to(dtype)
    return config(parameters.expand(-1, -1, -1, cells).contiguous(), shape, by_channel)


def every_level(levels: int) -> Tensor:
    return torch.arange(levels).view(1, 1, levels)


def previous(channel: int, levels: int, cells: int) -> Tensor:
    """Some levels of the channels before `channel`."""
    chosen = torch.tensor([levels - 1, levels // 3])[:channel]
    return chosen.view(1, channel, 1, 1).expand(-1, -1, -1, cells)


def total(log_masses: Tensor) -> float:
    return float(log_masses.detach().double().exp().sum())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(("config", "channels", "levels", "by_channel"), cases())
def test_the_masses_of_all_levels_sum_to_one(config, channels, levels, by_channel, dtype) -> None:
    pixel = pixels(config, channels, levels, by_channel, levels, dtype)
    for channel in range(channels):
        law = pixel.channel(channel, previous(channel, levels, levels))
        tolerance = 1e-12 if dtype == torch.float64 else 1e-4 if levels == MANY else 1e-5
        assert total(law.log_prob(every_level(levels))) == pytest.approx(1, abs=tolerance)


@pytest.mark.parametrize(("config", "channels", "levels", "by_channel"), cases())
def test_log_prob_is_the_sum_of_the_channels(config, channels, levels, by_channel) -> None:
    pixel = pixels(config, channels, levels, by_channel, 50)
    image = torch.randint(levels, (1, channels, 1, 50), generator=torch.Generator().manual_seed(1))
    parts = [pixel.channel(c, image[:, :c]).log_prob(image[:, c]) for c in range(channels)]
    torch.testing.assert_close(pixel.log_prob(image), torch.stack(parts).sum(0), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("config", "channels", "levels", "by_channel"), cases())
def test_differences_of_the_cdf_are_the_masses(config, channels, levels, by_channel) -> None:
    pixel, at = pixels(config, channels, levels, by_channel, levels), every_level(levels)
    for channel in range(channels):
        law = pixel.channel(channel, previous(channel, levels, levels))
        upper = law.cdf(at).double()
        lower = torch.cat([torch.zeros(1, 1, 1), upper[..., :-1]], 2)
        torch.testing.assert_close(upper - lower, law.log_prob(at).exp(), rtol=0, atol=1e-12)
        assert float(upper[..., -1]) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("levels", COUNTS)
@pytest.mark.parametrize("channels", [1, 3])
def test_extreme_parameters_keep_masses_and_gradients(channels: int, levels: int, dtype) -> None:
    """Tiny and huge scales, far means: the masses sum to one, and every gradient is a number."""
    shape, config = ImageShape(channels, 1, levels, levels), LogisticMixture(1)
    for mean in MEANS:
        for log_scale in LOG_SCALES:
            parameters = torch.zeros(1, config.parameters(shape, False), 1, 1, dtype=dtype)
            parts = parameters[:, channels == 3 :].view(channels, -1)
            parts[:, 0], parts[:, 1] = mean, log_scale
            parameters.requires_grad_()
            law = config(parameters.expand(-1, -1, -1, levels), shape, False).channel(
                channels - 1, previous(channels - 1, levels, levels)
            )
            masses = law.log_prob(every_level(levels))
            assert total(masses) == pytest.approx(1, abs=1e-3), (mean, log_scale)
            (gradient,) = torch.autograd.grad(masses.clamp_min(-1e30).sum(), parameters)
            assert gradient.isfinite().all(), (mean, log_scale)


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_a_sure_categorical_keeps_its_masses(levels: int) -> None:
    logits = torch.zeros(1, levels, 1, 1)
    logits[:, 1] = 500.0
    shape = ImageShape(1, 1, levels, levels)
    law = Categorical()(logits.expand(-1, -1, -1, levels).contiguous(), shape, False).channel(
        0, previous(0, 1, 1)
    )
    masses = law.log_prob(every_level(levels))
    assert total(masses) == pytest.approx(1)
    assert masses.isfinite().all()


def test_no_table_over_many_levels_is_made() -> None:
    with pytest.raises(UserError, match="at most 256 levels"):
        Categorical().parameters(ImageShape(1, 1, 1, MANY), False)
    with pytest.raises(UserError, match="2 levels, not 4"):
        Bernoulli().parameters(ImageShape(1, 1, 1, 4), False)
    with pytest.raises(UserError, match="at least 1"):
        LogisticMixture(0)


def test_the_published_mass_of_a_level() -> None:
    """PixelCNN++, eq. 2: sigmoid((x + 1/255 - m) / s) - sigmoid((x - 1/255 - m) / s) on [-1, 1]."""
    mean, log_scale, level = 0.1, -2.3, 140
    parameters = torch.tensor([0.0, mean, log_scale], dtype=torch.float64).view(1, 3, 1, 1)
    law = LogisticMixture(1)(parameters, ImageShape(1, 1, 1), False)
    signal, scale = (
        torch.tensor(level * 2 / 255 - 1, dtype=torch.float64),
        torch.tensor(log_scale, dtype=torch.float64).exp(),
    )
    upper, lower = (((signal + side / 255 - mean) / scale).sigmoid() for side in (1, -1))
    found = law.log_prob(torch.tensor([[[[level]]]])).exp()
    assert float(found) == pytest.approx(float(upper - lower), rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("size", [1e1, 1e2, 1e4, 1e30])
@pytest.mark.parametrize(("config", "channels", "levels", "by_channel"), cases())
def test_no_parameter_makes_a_value_or_a_gradient_that_is_no_number(
    config, channels, levels, by_channel, size, dtype
) -> None:
    """Every number at plus or minus `size`, the lowest and the highest level among others: a component of no weight
    has no say, also in the gradient."""
    generator = torch.Generator().manual_seed(0)
    shape = ImageShape(channels, 1, 4, levels)
    signs = torch.randn(48, config.parameters(shape, by_channel), 1, 4, generator=generator).sign()
    parameters = (signs * size).to(dtype).requires_grad_()
    image = torch.randint(levels, (48, channels, 1, 4), generator=generator)
    image[:16], image[16:32] = 0, levels - 1
    nats = config(parameters.float(), shape, by_channel).log_prob(image)
    (gradient,) = torch.autograd.grad(nats.sum(), parameters)
    assert nats.isfinite().all()
    assert float(nats.max()) <= 1e-5
    assert gradient.isfinite().all()


def test_the_ceiling_of_a_scale_costs_less_than_rounding() -> None:
    """A logistic as wide as may be: the two ends share all of the mass, whatever the levels."""
    for levels in COUNTS[1:]:
        parameters = torch.tensor([0.0, 0.0, 1e4]).view(1, 3, 1, 1).expand(-1, -1, -1, levels)
        law = LogisticMixture(1)(parameters.contiguous(), ImageShape(1, 1, levels, levels), False)
        masses = law.log_prob(every_level(levels).unsqueeze(1)).exp().flatten()
        assert float(masses[0] + masses[-1]) == pytest.approx(1, abs=levels * 1e-9 + 1e-6)
