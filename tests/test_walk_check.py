"""`pb.check_walk` tells layers of one's own that do not walk as they see."""

import dataclasses

import pytest
import torch
from torch import Tensor, nn

import pixelbayes as pb
from pixelbayes.causal import FirstConv, Pointwise, above_and_left
from pixelbayes.distributions import LogisticMixture
from pixelbayes.fusion import FusionConfig
from pixelbayes.labels import Labels
from pixelbayes.model import build
from pixelbayes.networks import CONFIGS, Network, NetworkConfig


class Own(Network):
    """Two layers on the image, and in between what a test gives."""

    def __init__(self, channels: int, outputs: int, between: nn.Module):
        super().__init__()
        self.first = FirstConv(channels, 4, reach=(0, 2, 0), shift=(0, 1))
        self.between = between
        self.last = Pointwise(4, outputs)

    def forward(self, image: Tensor, label: Tensor | None, scan) -> Tensor:
        return self.last(self.between(self.first(image, scan, lambda cells: cells), scan), scan)


@dataclasses.dataclass(frozen=True)
class OwnConfig(NetworkConfig):
    between: type[nn.Module] = nn.Identity

    def build(self, shape, outputs, fusion) -> Network:
        return Own(shape.channels, outputs, self.between())


class Right(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.look = above_and_left(4, 4)

    def forward(self, x: Tensor, scan) -> Tensor:
        return x + torch.relu(self.look(x, scan))


class NoScan(nn.Module):
    """A convolution of torch's own: at one pixel it sees nothing of what is to its left."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv2d(4, 4, (1, 3))

    def forward(self, x: Tensor, scan) -> Tensor:
        return self.look(nn.functional.pad(x, (2, 0)))


class Unpadded(NoScan):
    """The same over rows above; at one row the kernel does not fit."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv2d(4, 4, (2, 1))

    def forward(self, x: Tensor, scan) -> Tensor:
        return self.look(torch.cat([x[:, :, :1], x], 2) if x.shape[2] > 1 else x)


class Averages(nn.Module):
    """What is the same for a whole walk is not what depends on the row."""

    def forward(self, x: Tensor, scan) -> Tensor:
        return x + scan.constant(self, lambda: x[:, :, -1:, -1:])


def own(between: type[nn.Module], channels: int = 1) -> pb.AutoregressiveImageModel:
    torch.manual_seed(0)
    shape = pb.ImageShape(channels, 6, 5, 16)
    return build(shape, Labels(("a", "b")), OwnConfig(between), LogisticMixture(2), FusionConfig("none"))


@pytest.fixture(scope="module", autouse=True)
def registered():
    known = dict(CONFIGS._parts), dict(CONFIGS._origins)
    CONFIGS._parts["own"] = OwnConfig
    CONFIGS._origins["own"] = (__name__,)
    yield
    CONFIGS._parts, CONFIGS._origins = known


def test_a_right_layer_walks_as_it_sees() -> None:
    report = pb.check_walk(own(Right))
    assert report.ok
    assert (report.first, report.failure) == (None, "")
    assert (report.pixels, report.checked) == (30, 30)
    assert report.greatest < 1e-12
    assert str(report).startswith("a walk gives what a full pass gives")
    assert pb.check_walk(own(Right), rows=2).checked == 10


def test_a_layer_that_does_not_ask_the_scan_is_found_at_its_first_pixel() -> None:
    report = pb.check_walk(own(NoScan))
    assert not report.ok
    assert report.first.at == (0, 2)  # the first layer sees nothing to the left of the first pixel
    assert report.first.way == "pixel by pixel"
    assert {difference.way for difference in report.differences} == {"pixel by pixel", "some rows at once"}
    assert "pixel (row 0, column 2) differs by" in str(report)


def test_what_is_no_constant_is_found() -> None:
    assert pb.check_walk(own(Averages)).first is not None


def test_an_error_in_a_walk_is_told_with_its_place() -> None:
    report = pb.check_walk(own(Unpadded))
    assert not report.ok
    assert "RuntimeError" in report.failure
    assert "walking pixel by pixel, after pixel (row 0, column 0)" in str(report)


def test_parameters_of_all_cells_where_one_was_looked_at() -> None:
    model = own(Right)
    model.network.forward = lambda image, label, scan: image.new_zeros(len(image), 6, 6, 5)
    assert "6x5 cells where one pixel was looked at" in str(pb.check_walk(model))


def test_a_network_that_sees_the_future_differs() -> None:
    model = own(Right)
    model.network.first.shift = (0, -1)
    assert not pb.check_causality(model).ok
    assert not pb.check_walk(model).ok


def test_the_model_is_left_as_it_was() -> None:
    model = own(Right).train()
    pb.check_walk(model)
    assert model.training
    assert model.dtype == torch.float32


def test_a_module_from_outside_in_single_precision_alone() -> None:
    class Theirs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.logits = nn.Embedding(2, 8)

        def forward(self, image: Tensor, label: Tensor) -> Tensor:
            found = self.logits(label).float()[:, :, None, None, None]
            return found.expand(-1, -1, *image.shape[1:]) + torch.zeros(8, 1, 1, 1, dtype=torch.float32)

    assert pb.check_walk(pb.adapt(Theirs(), "categorical", pb.ImageShape(1, 4, 3, 8), ("a", "b"))).ok


def test_colour_masks_and_images_of_ones_own() -> None:
    masked = pb.create("digits", filters=4, levels=4)
    images = torch.randint(0, 4, (3, 1, 5, 4))
    assert pb.check_walk(masked, images).pixels == 20
    with pytest.raises(pb.UserError, match="one image at least"):
        pb.check_walk(masked, images[:0])
    with pytest.raises(pb.UserError, match="must be integer levels"):
        pb.check_walk(masked, images.float())
    with pytest.raises(pb.UserError, match="the rows must be 1 or more"):
        pb.check_walk(masked, rows=0)
    with pytest.raises(pb.UserError, match="a model is needed"):
        pb.check_walk("runs/demo")
