"""Other people's networks through `pb.adapt`, and the check of causality."""

from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pixelbayes as pb
from pixelbayes.causality import check_causality
from pixelbayes.distributions import Categorical, LogisticMixture
from pixelbayes.errors import UserError
from pixelbayes.labels import Labels
from pixelbayes.model import build
from pixelbayes.networks import PixelCNNConfig
from pixelbayes.walk import NaiveLook

SHAPE = (1, 4, 5, 6)


class Masked(nn.Conv2d):
    """A masked convolution as people write it: the whole kernel, multiplied by a mask."""

    def __init__(self, kind: str, inputs: int, outputs: int, size: int = 3):
        super().__init__(inputs, outputs, size, padding=size // 2)
        mask = torch.ones(size, size)
        mask[size // 2, size // 2 + (kind == "B") :] = 0
        mask[size // 2 + 1 :] = 0
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class TheirPixelCNN(nn.Module):
    """A conditional PixelCNN in plain torch: logits `(b, L, C, h, w)`; `future` makes it cheat in its last layer."""

    def __init__(self, channels: int = 1, levels: int = 6, classes: int = 3, future: bool = False):
        super().__init__()
        torch.manual_seed(3)
        self.channels, self.levels = channels, levels
        self.first, self.second = Masked("A", channels, 12), Masked("B", 12, 12)
        self.embed = nn.Embedding(classes, 12)
        self.dropout = nn.Dropout(0.5)
        self.last = nn.Conv2d(12, channels * levels, 3 if future else 1, padding=1 if future else 0)

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        h = F.elu(self.first(image) + self.embed(label)[:, :, None, None])
        h = self.dropout(F.elu(self.second(h)))
        return self.last(h).unflatten(1, (self.levels, self.channels))


def images(count: int = 6, shape: tuple[int, ...] = SHAPE) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randint(0, shape[3], (count, *shape[:3]), generator=generator, dtype=torch.uint8)


def test_a_conditional_network_is_judged_sampled_and_classifies():
    theirs = TheirPixelCNN()
    model = pb.adapt(theirs, "categorical", SHAPE, ["one", "two", "three"])
    levels, labels = images(), torch.tensor([0, 1, 2, 0, 1, 2])
    with torch.no_grad():
        logits = theirs(levels * (2 / 5) - 1.0, labels).log_softmax(1)
    by_hand = logits.gather(1, levels.long()[:, None])[:, 0].sum((1, 2, 3))
    torch.testing.assert_close(model.log_prob(levels, labels), by_hand.double(), rtol=1e-5, atol=1e-4)
    assert not theirs.training

    drawn = pb.generate(model, labels=[0, 2], seed=1)
    assert drawn.shape == (2, 1, 4, 5)
    assert torch.equal(drawn, pb.generate(model, labels=[0, 2], seed=1, looks=NaiveLook))

    answer = pb.classify(model, levels)
    assert answer.classes.names == ("one", "two", "three")
    torch.testing.assert_close(
        answer.log_likelihoods[torch.arange(6), labels], by_hand.double(), rtol=1e-5, atol=1e-4
    )
    images_of_theirs = pb.ImageSet(levels, labels, [""] * 6, model.classes, model.shape)
    expected = float(-by_hand.double().mean() / 20 / torch.tensor(2.0).log())
    assert pb.evaluate(model, images_of_theirs, progress=False).bits_per_dim == pytest.approx(
        expected, rel=1e-5
    )


def test_a_network_that_sees_the_future_is_named_with_its_first_pixel():
    with pytest.raises(
        UserError, match=r"not causal: .*pixel \(row 0, column 0\) moves with its own value, channel 0"
    ):
        pb.adapt(TheirPixelCNN(future=True), "categorical", SHAPE, 3)
    cheat = pb.adapt(TheirPixelCNN(future=True), "categorical", SHAPE, 3, check=False)
    report = pb.check_causality(cheat)
    assert not report.ok
    assert (report.checked, len(report.leaks)) == (20, 19)  # the very last has no later neighbour to read
    assert report.first.at == (0, 0)
    assert abs(report.first.amount) > 0


class LooksAt(nn.Module):
    """Logits that depend on one value alone: that at `sees`, for the pixel at `at` only."""

    def __init__(self, at: tuple[int, int], sees: tuple[int, int], channels: int = 1):
        super().__init__()
        self.at, self.sees, self.channels = at, sees, channels

    def forward(self, image: Tensor) -> Tensor:
        here = torch.zeros(image.shape[2:])
        here[self.at] = 1
        seen = image[:, :1, self.sees[0], self.sees[1], None, None] * here
        return torch.cat([seen, -seen] * self.channels, 1)


def test_one_leaking_pixel_among_many_is_found_and_both_places_are_told():
    model = pb.adapt(LooksAt((2, 3), (3, 1)), "categorical", (1, 5, 6, 2), check=False)
    report = check_causality(model)
    assert [(leak.at, leak.sees) for leak in report.leaks] == [((2, 3), (3, 1, 0))]
    assert "pixel (row 2, column 3) moves with pixel (row 3, column 1), channel 0" in str(report)
    assert check_causality(pb.adapt(LooksAt((2, 3), (2, 2)), "categorical", (1, 5, 6, 2)), pixels=None).ok


def test_a_sample_of_pixels_that_leaks_leads_to_the_first_one():
    model = pb.adapt(TheirPixelCNN(future=True), "categorical", (1, 12, 12, 6), 3, check=False)
    report = check_causality(model, pixels=5)
    assert report.first.at == (0, 0)
    assert 5 <= report.checked < 144
    causal = check_causality(pb.adapt(TheirPixelCNN(), "categorical", (1, 12, 12, 6), 3), pixels=5)
    assert causal.ok
    assert causal.checked == 5
    assert "(5 of 144 pixels checked)" in str(causal)


def test_colours_are_checked_channel_by_channel():
    """R of a pixel may be seen by G where colours are masked; not where all are drawn at once."""

    class GreenSeesRed(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            zero = torch.zeros_like(image[:, 0])
            return torch.stack([zero, zero, image[:, 0], -image[:, 0], zero, zero], 1)

    masked = pb.adapt(GreenSeesRed(), "categorical", (3, 2, 3, 2), colour_masks=True)
    assert check_causality(masked).ok
    assert masked.looks == [(0,), (1,), (2,)]
    assert pb.generate(masked, count=2).shape == (2, 3, 2, 3)
    with pytest.raises(UserError, match=r"moves with its own value, channel 0"):
        pb.adapt(GreenSeesRed(), "categorical", (3, 2, 3, 2))


@pytest.mark.parametrize("future", [False, True])
def test_a_network_that_looks_levels_up_in_a_table_is_checked_by_changing_pixels(future):
    class Table(TheirPixelCNN):
        def __init__(self):
            super().__init__(channels=1, future=future)
            self.table = nn.Embedding(6, 1)

        def forward(self, image: Tensor, label: Tensor) -> Tensor:
            return super().forward(self.table(image.round().long()).squeeze(-1), label)

    model = pb.adapt(Table(), "categorical", SHAPE, 3, signal=(0, 5), check=False)
    report = check_causality(model)
    assert report.ok is not future
    if future:
        assert report.first.at == (0, 0)
    else:
        assert 0 < report.seen < report.before == 19


def test_a_module_may_work_in_its_image():
    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = Masked("A", 1, 6)

        def forward(self, image: Tensor) -> Tensor:
            return self.first(image.mul_(2).add_(0.1))

    torch.manual_seed(0)
    model = pb.adapt(InPlace(), "categorical", (1, 4, 5, 6))
    module = model.network.module.first
    apart = pb.adapt(lambda image: module(image * 2 + 0.1), "categorical", (1, 4, 5, 6))
    assert torch.equal(pb.generate(model, count=3, seed=1), pb.generate(apart, count=3, seed=1))


def test_a_leak_without_a_gradient_beside_a_path_with_one():
    class Rounds(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.table = Masked("A", 1, 6), nn.Embedding(6, 6)
            self.all = nn.Conv2d(6, 6, 3, padding=1)

        def forward(self, image: Tensor) -> Tensor:
            levels = ((image[:, 0] + 1) * 2.5).round().long()
            return self.first(image) + self.all(self.table(levels).permute(0, 3, 1, 2))

    with pytest.raises(pb.UserError, match="not causal"):
        pb.adapt(Rounds(), "categorical", (1, 4, 5, 6))


def test_what_the_module_returns_must_be_a_tensor():
    with pytest.raises(pb.UserError, match="returns a tuple"):
        pb.adapt(lambda image: (image, image), "categorical", (1, 4, 5, 6))


def test_what_was_not_tried_is_not_counted_as_unseen():
    class Table(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(6, 6)

        def forward(self, image: Tensor) -> Tensor:
            past = self.table(image[:, 0].round().long()).flatten(1, 2).cumsum(1)
            past = torch.cat([torch.zeros_like(past[:, :1]), past[:, :-1]], 1)
            return past.unflatten(1, image.shape[2:]).permute(0, 3, 1, 2)

    model = pb.adapt(Table(), "categorical", (1, 4, 8, 6), signal=(0, 5))
    some, every = (pb.check_causality(model, pixels=pixels) for pixels in (5, None))
    assert (some.seen, some.before) == (4, 4)
    assert (every.seen, every.before) == (31, 31)


def test_sizes_that_fit_two_layouts_are_asked_about():
    theirs = nn.Conv2d(1, 4, 1, bias=False)
    with pytest.raises(pb.UserError, match="layout="):
        pb.adapt(lambda image: 0 * theirs(image), "categorical", (1, 4, 4, 4))
    pb.adapt(lambda image: 0 * theirs(image), "categorical", (1, 4, 4, 4), layout="bphw")


@pytest.mark.parametrize("colour_masks", [True, False])
def test_our_own_networks_pass(colour_masks):
    config = PixelCNNConfig(blocks=1, filters=24, kernel=3, colour_masks=colour_masks)
    model = build(pb.ImageShape(3, 4, 3, 5), Labels(("a", "b")), config, LogisticMixture(2))
    report = check_causality(model)
    assert report.ok, report
    assert model.training


@pytest.mark.parametrize(
    ("layout", "axes"),
    [("bphw", None), ("bhwp", (0, 2, 3, 1)), ("blchw", (0, 1, 2, 3, 4)), ("bchwl", (0, 2, 3, 4, 1))],
)
def test_layouts_and_forms_of_labels_mean_the_same(layout, axes):
    theirs = TheirPixelCNN(channels=3)
    levels, labels = images(2, (3, 4, 5, 6)), torch.tensor([2, 0])

    def call(module: nn.Module, image: Tensor, label: Tensor) -> Tensor:
        assert label.shape == (2, 3)
        logits = module(image * 2 - 1, label.argmax(1))
        flat = logits.transpose(1, 2).flatten(1, 2)
        return flat if axes is None else (flat if len(axes) == 4 else logits).permute(axes)

    options = {"signal": (0, 1), "label": "one_hot", "call": call, "check": False}
    plain = pb.adapt(theirs, Categorical(), (3, 4, 5, 6), 3, check=False)
    for named in (layout, None):
        other = pb.adapt(theirs, Categorical(), (3, 4, 5, 6), 3, layout=named, **options)
        torch.testing.assert_close(other.log_prob(levels, labels), plain.log_prob(levels, labels))


def test_what_does_not_fit_is_one_clear_line(tmp_path):
    theirs = TheirPixelCNN()
    with pytest.raises(
        UserError, match=r"output is \(2, 6, 1, 4, 5\) .* the distribution needs 30 numbers a pixel"
    ):
        pb.adapt(theirs, "logistic_mixture", SHAPE, 3)
    with pytest.raises(UserError, match=r"TheirPixelCNN cannot be called with images .*: see call="):
        pb.adapt(theirs, "categorical", SHAPE)
    with pytest.raises(UserError, match="unknown layout 'hwbp'"):
        pb.adapt(theirs, "categorical", SHAPE, 3, layout="hwbp")
    with pytest.raises(UserError, match=r"unknown label form .onehot.: did you mean .one_hot."):
        pb.adapt(theirs, "categorical", SHAPE, 3, label="onehot")
    with pytest.raises(
        UserError, match="OutsideModule is not registered under a name: it can be used, but not saved"
    ):
        pb.save(pb.adapt(theirs, "categorical", SHAPE, 3), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_distribution_from_outside_fits_a_function_from_outside():
    @dataclass(frozen=True)
    class Flat(Categorical):
        """Logits of which half are ignored."""

        def parameters(self, shape: pb.ImageShape, by_channel: bool) -> int:
            return 2 * super().parameters(shape, by_channel)

        def __call__(self, parameters: Tensor, shape: pb.ImageShape, by_channel: bool):
            return super().__call__(parameters.chunk(2, 1)[0].contiguous(), shape, by_channel)

    model = pb.adapt(lambda image: torch.zeros(len(image), 8, *image.shape[2:]), Flat(), (1, 2, 2, 4))
    assert model.log_prob(images(1, (1, 2, 2, 4))).item() == pytest.approx(
        -4 * torch.tensor(4.0).log().item()
    )
    assert pb.generate(model, count=3).shape == (3, 1, 2, 2)
