"""The laws that every network, label strategy and pixel distribution obeys, in float64 on small images."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from pixelbayes import checkpoint
from pixelbayes.causal import Glimpse, WalkCache
from pixelbayes.distributions import Bernoulli, Categorical, LogisticMixture
from pixelbayes.errors import UserError
from pixelbayes.fusion import STRATEGIES, FusionConfig
from pixelbayes.levels import ImageShape
from pixelbayes.model import AutoregressiveImageModel, ModelConfig
from pixelbayes.networks import (
    GatedPixelCNNConfig,
    PixelCNNConfig,
    PixelCNNPPConfig,
    PixelSNAILConfig,
)
from pixelbayes.tasks.generate import generate
from pixelbayes.walk import NaiveLook

NETWORKS = {
    "pixelcnn_pp": PixelCNNPPConfig(resnets=1, filters=6, dropout=0.0),
    "pixelcnn_pp two resnets, relu": PixelCNNPPConfig(resnets=2, filters=4, activation="relu", dropout=0.0),
    "pixelcnn_pp pure convolution": PixelCNNPPConfig(resnets=1, filters=4, residual=False, dropout=0.0),
    "pixelcnn_pp one scale": PixelCNNPPConfig(resnets=1, filters=4, scales=1, activation="tanh", dropout=0.0),
    "pixelcnn": PixelCNNConfig(blocks=2, filters=7),
    "pixelcnn plain": PixelCNNConfig(
        blocks=2, filters=8, kernel=3, colour_masks=False, layer_norm=False, skip=False
    ),
    "gated_pixelcnn": GatedPixelCNNConfig(layers=3, filters=6, first_kernel=5, kernel=3),
    "pixelsnail": PixelSNAILConfig(blocks=2, resnets=1, filters=6, key_width=4),
}
SEES_ALL = {  # deep enough that their receptive field covers an image of 9x8; attention covers any
    "pixelcnn_pp two resnets, relu": NETWORKS["pixelcnn_pp two resnets, relu"],
    "gated_pixelcnn deep": GatedPixelCNNConfig(layers=4, filters=16, kernel=5),
    "pixelsnail": NETWORKS["pixelsnail"],
}
WIDE = {
    "pixelcnn wide": PixelCNNConfig(blocks=1, filters=24, kernel=3)
}  # too wide for all its ReLUs to be off
SHAPES = [
    ImageShape(3, 8, 8),
    ImageShape(1, 9, 7, 17),
    ImageShape(1, 1, 3, 2),
    ImageShape(3, 5, 6, 65_536, "asinh"),
    ImageShape(1, 1, 1, 2),
    ImageShape(3, 3, 1, 4, "sqrt"),
]
DISTRIBUTIONS = [LogisticMixture(2), Categorical(), Bernoulli()]


def make(network: str, shape: ImageShape, strategy: str = "mild", distribution=DISTRIBUTIONS[0], classes=3):
    torch.manual_seed(1)
    names = tuple("abcdef"[:classes])
    config = ModelConfig(
        shape, (NETWORKS | SEES_ALL | WIDE)[network], distribution, FusionConfig(strategy), names
    )
    model = AutoregressiveImageModel(config).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def images(model: AutoregressiveImageModel, count: int = 2) -> tuple[Tensor, Tensor]:
    shape = model.shape
    generator = torch.Generator().manual_seed(2)
    levels = torch.randint(
        0, shape.levels, (count, shape.channels, shape.height, shape.width), generator=generator
    )
    return levels, torch.arange(count) % 3


def combinations() -> list:
    """Each network with each shape; with each strategy at one shape; with each distribution that can."""
    cases = [(network, shape, "mild", DISTRIBUTIONS[0]) for network in NETWORKS for shape in SHAPES]
    cases += [
        (network, SHAPES[1], strategy, DISTRIBUTIONS[0]) for network in NETWORKS for strategy in STRATEGIES
    ]
    four = ImageShape(3, 4, 5, 4)
    cases += [(network, four, "mild", Categorical()) for network in NETWORKS]
    cases += [(network, ImageShape(3, 4, 4, 2), "film", Bernoulli()) for network in NETWORKS]
    return [
        pytest.param(*case, id="-".join([case[0], str(case[1]), case[2], type(case[3]).__name__]))
        for case in cases
    ]


def made_or_refused(network, shape, strategy, distribution) -> AutoregressiveImageModel:
    """The model; a strategy that has no site in the network is refused with a clear error instead."""
    try:
        return make(network, shape, strategy, distribution)
    except UserError as error:
        assert "does not have" in str(error)  # noqa: PT017 - only some of the combinations are refused
        pytest.skip(str(error))


@pytest.mark.parametrize(("network", "shape", "strategy", "distribution"), combinations())
def test_walk_in_any_blocks_of_rows_equals_the_whole(network, shape, strategy, distribution):
    model = made_or_refused(network, shape, strategy, distribution)
    levels, labels = images(model)
    with torch.no_grad():
        whole = model.pixel_parameters(levels, labels)
        for heights in ((1,), (2, 1), (3, 5), (1, 3, 2), (shape.height,)):
            walked = walk_in_blocks(model, levels, labels, heights)
            torch.testing.assert_close(walked, whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("network", "shape", "strategy", "distribution"), combinations())
def test_all_classes_in_one_pass_equal_one_class_at_a_time(network, shape, strategy, distribution):
    model = made_or_refused(network, shape, strategy, distribution)
    levels, _ = images(model)
    for classes in (torch.arange(3), torch.tensor([2, 0])):
        each = [model.log_prob_map(levels, torch.full((len(levels),), int(c))) for c in classes]
        together = model.class_log_prob_maps(levels, classes.tolist())
        torch.testing.assert_close(together, torch.stack(each, 1), rtol=0, atol=1e-9)


@pytest.mark.parametrize("strategy", ["scale", "film", "late", "late_film"])
@pytest.mark.parametrize("network", ["pixelcnn_pp", "gated_pixelcnn"])
def test_without_gradients_the_numbers_are_the_same(network, strategy, monkeypatch):
    """There, layers and distributions take other ways to them."""
    monkeypatch.setattr("pixelbayes.distributions.fused_masses.LEAST_NUMBERS", 1)
    monkeypatch.setattr("pixelbayes.causal.elementwise.LEAST_NUMBERS", 1)
    model = made_or_refused(network, SHAPES[1], strategy, DISTRIBUTIONS[0])
    levels, labels = images(model)
    with_gradients = model.class_log_prob_maps(levels), model.log_prob_map(levels, labels)
    with torch.no_grad():
        without = model.class_log_prob_maps(levels), model.log_prob_map(levels, labels)
    for one, other in zip(with_gradients, without, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9)


@pytest.mark.parametrize("strategy", ["mild", "left", "late", "none"])
@pytest.mark.parametrize("network", ["pixelcnn_pp", "pixelcnn", "gated_pixelcnn", "pixelsnail"])
def test_dropout_falls_on_the_same_features_under_every_class(network, strategy):
    model = made_or_refused(network, ImageShape(1, 6, 6, 4), strategy, DISTRIBUTIONS[0])
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout2d):
            module.p = 0.5
    with torch.no_grad():  # classes that do not differ: any difference is the noise's
        for name, parameter in model.named_parameters():
            if "fuse" in name:
                parameter.zero_()
    levels, _ = images(model, 3)
    found = model.train().class_log_prob_maps(levels)
    torch.testing.assert_close(found, found[:, :1].expand_as(found), rtol=0, atol=1e-12)
    assert not torch.allclose(found, model.class_log_prob_maps(levels))


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "downsampling"])
@pytest.mark.parametrize("network", ["pixelcnn_pp", "pixelcnn", "gated_pixelcnn", "pixelsnail"])
def test_the_gradient_of_all_classes_is_that_of_one_class_at_a_time(network, strategy):
    model = made_or_refused(network, ImageShape(1, 4, 5, 4), strategy, DISTRIBUTIONS[0])
    levels, _ = images(model)
    weights = torch.linspace(-1, 1, 6, dtype=torch.float64).view(2, 3)
    found = []
    for log_probs in (
        model.class_log_prob_maps(levels).sum((2, 3)),
        torch.stack([model.log_prob(levels, torch.full((2,), c)) for c in range(3)], 1),
    ):
        model.zero_grad()
        (log_probs * weights).sum().backward()
        found.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    assert len(found[0]) == len(found[1])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("network", SEES_ALL)
def test_the_same_rows_may_be_looked_at_again(network) -> None:
    model = make(network, ImageShape(1, 8, 6, 17))
    levels, labels = images(model, 2)
    whole, signal, memory = model.pixel_parameters(levels, labels), model.signal(levels), WalkCache()
    for rows in ((0, 1), (1, 4), (1, 4), (4, 8), (4, 8)):
        found = model.pixel_parameters(signal, labels, Glimpse((8, 6), rows, None, memory))
        torch.testing.assert_close(found, whole[:, :, slice(*rows)])


def walk_in_blocks(model, levels, labels, heights) -> Tensor:
    """Blocks of these heights in turn: every other one whole, the rest pixel by pixel."""
    signal, (height, width) = model.signal(levels), (model.shape.height, model.shape.width)
    memory, blocks, start = WalkCache(), [], 0
    for index, step in enumerate(itertools.cycle(heights)):
        if start >= height:
            return torch.cat(blocks, 2)
        stop = min(start + step, height)
        if index % 2 == len(heights) % 2:
            blocks.append(
                model.pixel_parameters(signal, labels, Glimpse((height, width), (start, stop), None, memory))
            )
        else:
            blocks += [pixels_of_row(model, signal, labels, row, memory) for row in range(start, stop)]
        start = stop


def pixels_of_row(model, signal, labels, row, memory) -> Tensor:
    """Each pixel looked at as often as its channels are chosen, with what is not yet chosen hidden."""
    height, width = signal.shape[2:]
    cells = []
    for column in range(width):
        hidden = signal.clone()
        hidden[:, :, row, column:] = 0.3
        hidden[:, :, row + 1 :] = 0.3
        parts = []
        for channels in model.looks:
            glimpse = Glimpse((height, width), (row, row + 1), (column, column + 1), memory)
            seen = model.pixel_parameters(hidden, labels, glimpse)
            each = seen.shape[1] // len(model.looks)
            parts.append(seen[:, channels[0] * each : (channels[0] + 1) * each] if model.by_channel else seen)
            hidden[:, list(channels), row, column] = signal[:, list(channels), row, column]
        cells.append(torch.cat(parts, 1))
    return torch.cat(cells, 3)


def influence(model: AutoregressiveImageModel, row: int, column: int) -> Tensor:
    """How much each pixel `(H, W)` moves the parameters of one pixel; all of them, its own included."""
    levels, labels = images(model, 1)
    signal = model.signal(levels).requires_grad_()
    output = model.pixel_parameters(signal, labels)[0, :, row, column].pow(2).sum()
    (gradient,) = torch.autograd.grad(output, signal, allow_unused=True)
    return torch.zeros(signal.shape[2:]) if gradient is None else gradient[0].abs().sum(0)


@pytest.mark.parametrize(("network", "shape", "strategy", "distribution"), combinations())
def test_no_gradient_from_the_future(network, shape, strategy, distribution):
    model = made_or_refused(network, shape, strategy, distribution)
    order = torch.arange(shape.height * shape.width).view(shape.height, shape.width)
    for row, column in {(0, 0), (shape.height // 2, shape.width // 2), (shape.height - 1, shape.width - 1)}:
        gradient = influence(model, row, column)
        assert not gradient[order > order[row, column]].any()
        assert model.by_channel or gradient[row, column] == 0


@pytest.mark.parametrize(
    "shape", [ImageShape(3, 8, 8), ImageShape(1, 9, 7, 17), ImageShape(1, 1, 3, 2)], ids=str
)
@pytest.mark.parametrize("network", SEES_ALL)
def test_all_of_the_past_is_seen(network, shape):
    model = make(network, shape)
    order = torch.arange(shape.height * shape.width).view(shape.height, shape.width)
    for row in range(shape.height):
        for column in (0, shape.width // 2, shape.width - 1):
            past = order < order[row, column]
            assert (influence(model, row, column)[past] > 0).all(), (row, column)


def test_pixelcnn_has_its_known_blind_spot_and_no_other():
    model = make("pixelcnn plain", ImageShape(1, 8, 8))
    seen = influence(model, 4, 3) != 0
    for row in range(8):
        for column in range(8):
            up, right = 4 - row, column - 3
            reachable = (up > 0 and right <= up and up <= 3) or (up == 0 and column < 3)
            assert bool(seen[row, column]) == reachable, (row, column)


@pytest.mark.parametrize("distribution", [LogisticMixture(2), Categorical()], ids=lambda d: type(d).__name__)
def test_colour_masks_let_green_see_red_and_blue_see_both(distribution):
    model = make("pixelcnn wide", ImageShape(3, 4, 4, 8), distribution=distribution)
    assert model.looks == [(0,), (1,), (2,)]
    levels, labels = images(model, 1)
    for channel in range(3):
        signal = model.signal(levels).requires_grad_()
        output = model.pixel_parameters(signal, labels)
        each = output.shape[1] // 3
        own = output[0, channel * each : (channel + 1) * each, 2, 2].pow(2).sum()
        gradient = torch.autograd.grad(own, signal)[0][0, :, 2, 2]
        assert [bool(value != 0) for value in gradient] == [c < channel for c in range(3)]


@pytest.mark.parametrize(
    "shape", [ImageShape(3, 3, 4, 17), ImageShape(1, 3, 3, 2), ImageShape(3, 2, 2, 65_536)], ids=str
)
@pytest.mark.parametrize("network", NETWORKS)
def test_walk_and_naive_sampler_draw_the_same_images(network, shape):
    model = make(network, shape)
    labels = torch.tensor([0, 2, 1])
    walked = generate(model, labels, seed=5, temperature=0.9)
    assert torch.equal(walked, generate(model, labels, seed=5, temperature=0.9, looks=NaiveLook))
    assert walked.dtype == shape.dtype


@pytest.mark.parametrize(("network", "shape", "strategy", "distribution"), combinations())
def test_an_image_does_not_depend_on_its_batch(network, shape, strategy, distribution):
    model = made_or_refused(network, shape, strategy, distribution)
    levels, labels = images(model, 4)
    with torch.no_grad():
        together = model.log_prob(levels, labels)
        alone = torch.cat([model.log_prob(levels[i : i + 1], labels[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-9)
    assert together.dtype == torch.float64


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("network", NETWORKS)
def test_save_and_load_keep_every_likelihood(network, strategy, tmp_path):
    model = made_or_refused(network, ImageShape(1, 4, 4, 5), strategy, LogisticMixture(2)).float()
    levels, _ = images(model)
    again = checkpoint.load(checkpoint.save(model, tmp_path))
    assert torch.equal(again.log_joint(levels), model.log_joint(levels))
    assert again.config == model.config
    differs = again.log_likelihoods(levels).std(1).max() > 0
    assert differs == (strategy != "none")


@pytest.mark.parametrize("network", NETWORKS)
def test_float32_walk_agrees_with_the_whole(network):
    model = make(network, ImageShape(3, 8, 8)).float()
    levels, labels = images(model)
    with torch.no_grad():
        walked = walk_in_blocks(model, levels, labels, (1,))
        torch.testing.assert_close(walked, model.pixel_parameters(levels, labels), rtol=0, atol=1e-4)


def test_a_memory_belongs_to_its_request():
    """Two walks over one model, interleaved, do not disturb each other."""
    model = make("pixelcnn_pp", ImageShape(1, 4, 4, 16))
    (first, second), labels = images(model)[0].split(1), torch.tensor([1])
    memories = WalkCache(), WalkCache()
    rows = ([], [])
    with torch.no_grad():
        for row in range(4):
            for image, memory, kept in zip((first, second), memories, rows, strict=True):
                kept.append(pixels_of_row(model, model.signal(image), labels, row, memory))
        for image, kept in zip((first, second), rows, strict=True):
            torch.testing.assert_close(
                torch.cat(kept, 2), model.pixel_parameters(image, labels), rtol=0, atol=1e-12
            )


def test_a_strategy_without_a_site_is_refused_by_name():
    with pytest.raises(UserError, match=r"'downsampling' acts at 'shrink'.*gated_pixelcnn does not have"):
        make("gated_pixelcnn", SHAPES[1], "downsampling")


def test_report_one_subsets_of_stages_act_where_they_say():
    config = ModelConfig(
        SHAPES[1],
        NETWORKS["pixelcnn_pp"],
        LogisticMixture(2),
        FusionConfig("stages", stages=("u4",)),
        ("a", "b"),
    )
    model = AutoregressiveImageModel(config)
    names = [name for name, _ in model.named_parameters() if "fuse" in name]
    assert names == ["network.above.fuse_head.shift"]
    levels = images(model)[0]
    assert model.log_likelihoods(levels).std(1).max() > 1e-7
    with pytest.raises(UserError, match="unknown stage 'u5'"):
        replace(config.fusion, stages=("u5",)).row()
