"""Samples come from the very masses that a distribution states."""

import pytest
import torch
from scipy.stats import chisquare
from tests.distributions.test_masses import cases, every_level, pixels, previous
from torch import Tensor

from pixelbayes.distributions import Bernoulli, Categorical, LogisticMixture, PixelDistribution
from pixelbayes.levels import ImageShape

GRID = 4096


def grid() -> Tensor:
    """The middles of `GRID` equal parts of (0, 1)."""
    return ((torch.arange(GRID, dtype=torch.float64) + 0.5) / GRID).view(1, 1, GRID)


@pytest.mark.parametrize(("config", "channels", "levels", "by_channel"), cases())
def test_evenly_spread_noise_gives_each_level_its_mass(config, channels, levels, by_channel) -> None:
    pixel = pixels(config, channels, levels, by_channel, GRID)
    for channel in range(channels):
        law = pixel.channel(channel, previous(channel, levels, GRID))
        drawn = law.sample(grid())
        assert drawn.dtype == torch.int64
        every = torch.arange(0, levels, max(1, levels // 64)).view(1, 1, -1)
        of_every = pixels(config, channels, levels, by_channel, every.numel())
        upper = of_every.channel(channel, previous(channel, levels, every.numel())).cdf(every).flatten()
        below = torch.stack([(drawn <= level).double().mean() for level in every.flatten()])
        # Inversion within each of three components: one part of the grid each may fall on the other side.
        assert (below - upper).abs().max() <= 4 / GRID


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_a_coupled_pixel_follows_one_law_whole_and_channel_by_channel(temperature: float) -> None:
    """Red tells which component it came from; what it tells depends on the temperature."""
    levels, count = 17, 20_000
    parameters = torch.zeros(1, 20, 1, 1)
    means, scales = slice(0, 2), slice(2, 4)
    red, green = parameters[:, 2:8], parameters[:, 8:14]
    red[:, scales] = torch.tensor([-0.5, -4.0]).view(1, 2, 1, 1)
    green[:, means], green[:, scales] = torch.tensor([-0.6, 0.6]).view(1, 2, 1, 1), -4.0
    shape = ImageShape(3, 1, 1, levels)
    pixel = LogisticMixture(2)(parameters.expand(-1, -1, 1, count), shape, False)
    noise = torch.rand(1, 3, 1, count, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    whole, single = pixel.sample(noise, temperature), torch.zeros(1, 3, 1, count, dtype=torch.int64)
    for c in range(3):
        single[:, c] = pixel.channel(c, single[:, :c]).sample(noise[:, c], temperature)
    shares = [(drawn[:, 1] > levels // 2).double().mean().item() for drawn in (whole, single)]
    assert shares == pytest.approx([0.5, 0.5], abs=0.02)
    tempered = pixel.tempered(temperature)
    assert torch.equal(tempered.sample(noise), whole)


def joint_masses(levels: int, **of: int) -> Tensor:
    """P of every colour of `levels` levels, `(levels**3,)`, under the coupled mixture."""
    colours = torch.cartesian_prod(*[torch.arange(levels)] * 3).T.reshape(1, 3, 1, -1)
    return (
        pixels(LogisticMixture(3), 3, levels, False, colours.shape[-1], **of)
        .log_prob(colours)
        .exp()
        .flatten()
    )


@pytest.mark.parametrize("levels", [2, 4])
@pytest.mark.parametrize("way", ["together", "channel by channel"])
def test_coupled_colours_come_as_often_as_their_mass(levels: int, way: str) -> None:
    count, masses = 40_000, joint_masses(levels, seed=3)
    assert float(masses.sum()) == pytest.approx(1)
    pixel = pixels(LogisticMixture(3), 3, levels, False, count, seed=3)
    u = torch.rand(1, 3, 1, count, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    drawn = pixel.sample(u) if way == "together" else PixelDistribution.sample(pixel, u)
    red, green, blue = drawn[0, :, 0]
    found = ((red * levels + green) * levels + blue).bincount(minlength=levels**3)
    expected = masses * count
    rare = expected < 5  # the test needs some of each; rare ones are counted together
    observed = torch.cat([found[~rare], found[rare].sum().view(1)]).double()
    wanted = torch.cat([expected[~rare], expected[rare].sum().view(1)])
    kept = wanted > 0
    assert chisquare(observed[kept].numpy(), wanted[kept].numpy()).pvalue > 1e-3


def test_a_wrong_law_would_be_noticed() -> None:
    """The chi-square of the test above tells two laws apart that differ in their coupling alone."""
    count, masses = 40_000, joint_masses(4, seed=4)
    u = torch.rand(1, 3, 1, count, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    red, green, blue = pixels(LogisticMixture(3), 3, 4, False, count, seed=3).sample(u)[0, :, 0]
    found = ((red * 4 + green) * 4 + blue).bincount(minlength=64).double()
    assert chisquare(found.numpy(), (masses / masses.sum() * count).numpy()).pvalue < 1e-6


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_temperature_divides_the_logits_and_scales_the_components(temperature: float) -> None:
    shape, config = ImageShape(1, 1, 500, 256), LogisticMixture(3)
    parameters = torch.randn(1, 9, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    changed = parameters.clone()
    changed[:, :3] /= temperature
    changed[:, 6:] += torch.tensor(temperature).double().log()
    u = torch.rand(1, 1, 1, 500, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    warm = config(parameters.expand(-1, -1, -1, 500), shape, False).sample(u, temperature)
    assert torch.equal(warm, config(changed.expand(-1, -1, -1, 500), shape, False).sample(u))
    assert not torch.equal(warm, config(parameters.expand(-1, -1, -1, 500), shape, False).sample(u))


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_temperature_of_coupled_colours(temperature: float) -> None:
    shape, config = ImageShape(3, 1, 300, 256), LogisticMixture(2)
    parameters = torch.randn(1, 20, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    changed = parameters.clone()
    changed[:, :2] /= temperature
    changed[:, 2:].view(1, 3, 3, 2, 1, 1)[:, :, 1] += torch.tensor(temperature).double().log()
    u = torch.rand(1, 3, 1, 300, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    warm = config(parameters.expand(-1, -1, -1, 300), shape, False).sample(u, temperature)
    assert torch.equal(warm, config(changed.expand(-1, -1, -1, 300), shape, False).sample(u))


@pytest.mark.parametrize(("config", "levels"), [(Categorical(), 17), (Bernoulli(), 2)])
def test_a_low_temperature_draws_what_is_likely(config, levels) -> None:
    u = torch.rand(1, 3, 1, 400, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    pixel = pixels(config, 3, levels, True, 400)
    likely = {t: float(pixel.log_prob(pixel.sample(u, t)).mean()) for t in (0.2, 1.0)}
    assert likely[0.2] > likely[1.0]


@pytest.mark.parametrize(("config", "channels", "levels", "by_channel"), cases())
def test_the_ends_of_the_noise_give_levels_of_the_image(config, channels, levels, by_channel) -> None:
    pixel = pixels(config, channels, levels, by_channel, 2)
    ends = torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64).view(1, 1, 1, 2).expand(-1, channels, -1, -1)
    drawn = pixel.sample(ends.clone())
    assert int(drawn.min()) >= 0
    assert int(drawn.max()) < levels


def test_every_level_can_be_drawn() -> None:
    levels = 8
    pixel = pixels(LogisticMixture(3), 1, levels, False, GRID)
    assert pixel.channel(0, previous(0, levels, GRID)).sample(grid()).unique().tolist() == list(range(levels))
    assert every_level(levels).shape == (1, 1, levels)
