"""A model of small images and a detector of it, fitted once."""

import pytest
import torch
from torch import Tensor

from pixelbayes.distributions import LogisticMixture
from pixelbayes.levels import ImageShape
from pixelbayes.model import AutoregressiveImageModel, ModelConfig
from pixelbayes.networks import GatedPixelCNNConfig
from pixelbayes.tasks.detect import Detector, fit_detector

SHAPE = ImageShape(1, 8, 8, 256)


def ramps(count: int, seed: int) -> Tensor:
    """Images whose brightness rises to the right, with noise: the known kind."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.randint(20, 100, (count, 1, 1, 1), generator=generator)
    noise = torch.randint(-4, 5, (count, 1, 8, 8), generator=generator)
    return (start + 12 * torch.arange(8) + noise).to(torch.uint8)


def squares(count: int, seed: int) -> Tensor:
    """Flat images with a bright corner: a foreign kind."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(30, 60, (count, 1, 1, 1), generator=generator).expand(-1, 1, 8, 8).clone()
    images[..., 4:, 4:] += 120
    return images.to(torch.uint8)


@pytest.fixture(scope="session")
def ramp_model() -> AutoregressiveImageModel:
    """Trained for some seconds on ramps; its two classes look alike."""
    torch.manual_seed(0)
    network = GatedPixelCNNConfig(layers=2, filters=8, kernel=3)
    model = AutoregressiveImageModel(ModelConfig(SHAPE, network, LogisticMixture(2), classes=("a", "b")))
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    levels, labels = ramps(64, 1), torch.arange(64) % 2
    for _ in range(40):
        optimiser.zero_grad()
        (-model.log_prob(levels, labels).mean() / SHAPE.dims).backward()
        optimiser.step()
    return model.eval()


def background() -> AutoregressiveImageModel:
    """Another model of the same images, without classes."""
    torch.manual_seed(3)
    network = GatedPixelCNNConfig(layers=1, filters=4, kernel=3)
    return AutoregressiveImageModel(ModelConfig(SHAPE, network, LogisticMixture(2))).eval()


@pytest.fixture(scope="session")
def ramp_detector(ramp_model: AutoregressiveImageModel) -> Detector:
    return fit_detector(
        ramp_model, ramps(60, 2), ramps(59, 3), background=background(), local_steps=40, score="dose"
    )
