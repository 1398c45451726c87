"""No float64 meets a device that has none."""

import pytest
import torch
from tests.fake_mps import MPS, fake_mps

import pixelbayes as pb
from pixelbayes.measure.seen import likelihoods_along
from pixelbayes.model import AutoregressiveImageModel


@pytest.fixture(scope="module")
def model() -> AutoregressiveImageModel:
    torch.manual_seed(0)
    return pb.create("digits", filters=4)


IMAGES = torch.arange(3 * 64).view(3, 1, 8, 8).remainder(17).to(torch.uint8)


def test_the_fake_refuses_float64(model: AutoregressiveImageModel) -> None:
    with fake_mps(model):
        there = torch.ones(2).to(MPS)
        assert there.device.type == "mps"
        assert (there + 1).cpu().double().sum() == 4
        with pytest.raises(AssertionError, match="float64"):
            there.double()
        with pytest.raises(AssertionError, match="float64"):
            torch.zeros(2, dtype=torch.float64).to(MPS)


@pytest.mark.parametrize(
    "ask",
    [
        lambda model: model.log_prob(IMAGES, [0, 1, 2]),
        lambda model: pb.classify(model, IMAGES).posterior,
        lambda model: pb.classify(model, IMAGES, regions=["0:4,0:8"]).posterior,
        lambda model: likelihoods_along(model, IMAGES[:1]),
        lambda model: pb.explain(model, IMAGES[:1]).maps,
    ],
)
def test_answers_are_those_of_the_cpu(model: AutoregressiveImageModel, ask) -> None:
    expected = ask(model)
    with fake_mps(model):
        torch.testing.assert_close(ask(model).cpu(), expected, rtol=1e-4, atol=1e-4)


def test_drawing_needs_no_float64(model: AutoregressiveImageModel) -> None:
    with fake_mps(model):
        images = pb.generate(model, count=1, labels=[3], seed=0)
        assert pb.complete(model, images.cpu(), known="7:8,:", seed=0).shape == images.shape
