from math import log

import pytest
import torch

from pixelbayes.levels import ImageShape
from pixelbayes.measure import bits_per_dim


def test_the_uniform_model_costs_the_logarithm_of_the_levels():
    shape = ImageShape(3, 4, 5, levels=17)
    nats = torch.full([7], -shape.dims * log(17), dtype=torch.float64)
    assert bits_per_dim(nats, shape) == pytest.approx(shape.uniform_bits, abs=1e-12)


def test_every_image_counts_the_same():
    shape = ImageShape(1, 1, 1, levels=2)
    nats = -torch.tensor([1.0, 1.0, 4.0]) * log(2)
    assert bits_per_dim(nats, shape) == pytest.approx(2.0)  # the mean of batches (1, 1), (4) would be 2.5
