"""Views: mirrored and turned images under one network, and the mean of their densities."""

import itertools
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

import pixelbayes as pb
from pixelbayes import checkpoint, views
from pixelbayes.cli import main
from pixelbayes.distributions import Bernoulli, LogisticMixture
from pixelbayes.errors import UserError
from pixelbayes.fusion import FusionConfig
from pixelbayes.levels import ImageShape
from pixelbayes.likelihood import Question, collect, log_likelihoods
from pixelbayes.model import AutoregressiveImageModel, ModelConfig
from pixelbayes.networks import GatedPixelCNNConfig, PixelCNNConfig, PixelCNNPPConfig, PixelSNAILConfig
from pixelbayes.objectives import Batch, HybridConfig, LikelihoodConfig
from pixelbayes.regions import pixel_weights

NETWORKS = [
    PixelCNNPPConfig(resnets=1, filters=4, dropout=0.0),
    PixelCNNConfig(blocks=1, filters=8),
    GatedPixelCNNConfig(layers=2, filters=4, first_kernel=3, kernel=3),
    PixelSNAILConfig(blocks=1, resnets=1, filters=4, key_width=4),
]


def make(network, group="all", shape=None, classes=2, distribution=None, strategy="left", embedding=None):
    torch.manual_seed(1)
    shape = shape or ImageShape(1, 2, 2, 2)
    fusion = FusionConfig(strategy, embedding, views=group)
    parts = ModelConfig(shape, network, distribution or Bernoulli(), fusion, tuple("abc"[:classes]))
    model = AutoregressiveImageModel(parts).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def nats(model, images, **question):
    width = max(1, len(model.classes))
    return collect(log_likelihoods(model, images, Question(**question)), len(images), width)


@pytest.mark.parametrize("group", ["mirror", "turns", "all"])
def test_views_are_different_bijections_and_the_first_is_upright(group):
    grid = torch.arange(9).view(3, 3)
    looks = [views.seen(grid, view) for view in views.GROUPS[group]]
    assert looks[0].equal(grid)
    assert len({tuple(look.flatten().tolist()) for look in looks}) == len(looks)
    assert all(look.flatten().sort().values.equal(grid.flatten()) for look in looks)


def test_each_image_is_shown_under_its_own_view():
    images = torch.randint(0, 9, (8, 2, 3, 3))
    shown = views.each_under(images, "all", torch.arange(8))
    assert all(shown[v].equal(views.seen(images[v], v)) for v in range(8))
    generators = [torch.Generator().manual_seed(3) for _ in range(2)]
    first, again = (views.draw(images.repeat(20, 1, 1, 1), "all", each) for each in generators)
    assert first.equal(again)
    assert set(first.tolist()) == set(range(8))


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: type(network).__name__)
@pytest.mark.parametrize("group", ["none", "all"])
def test_the_mean_over_views_is_a_density(network, group):
    """Also of a model that was never told of views."""
    model = make(network, group)
    images = torch.tensor(list(itertools.product((0, 1), repeat=4))).view(-1, 1, 2, 2)
    for asked in ("mirror", "turns", "all"):
        mass = nats(model, images, views=asked).exp().sum(0)
        torch.testing.assert_close(mass, torch.ones_like(mass), rtol=0, atol=1e-9)


@pytest.mark.parametrize("classes", [0, 2])
def test_the_mean_is_that_of_each_view_by_itself(classes):
    shape = ImageShape(3, 4, 4, 6)
    model = make(NETWORKS[0], "all", shape, classes, LogisticMixture(2))
    images = torch.randint(0, 6, (3, 3, 4, 4))
    each = []
    for index, view in enumerate(views.GROUPS["all"]):
        columns = []
        for label in range(max(1, classes)):
            code = torch.full((3,), label + max(1, classes) * index)
            shown = views.seen(images, view)
            columns.append(model.distribution(shown, code).log_prob(shown).sum((1, 2)))
        each.append(torch.stack(columns, 1))
    expected = torch.logsumexp(torch.stack(each), 0) - math.log(8)
    torch.testing.assert_close(nats(model, images, views="all"), expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(nats(model, images), each[0], rtol=0, atol=1e-9)
    if classes:
        own = nats(model, images, views="all", candidates=torch.tensor([[0], [1], [1]]))[:, :1]
        torch.testing.assert_close(own, expected.gather(1, torch.tensor([[0], [1], [1]])), rtol=0, atol=1e-9)


def test_the_parts_of_an_image_turn_with_it():
    shape = ImageShape(1, 4, 4, 2)
    model = make(NETWORKS[0], "all", shape)
    images = torch.randint(0, 2, (3, 1, 4, 4))
    halves = [pixel_weights([half], 4, 4) for half in ("0:2,0:4", "2:4,0:4")]
    index = views.GROUPS["all"].index(5)
    shown = views.seen(images, 5)
    maps = model.class_log_prob_maps(shown, shown=torch.full((3,), index))
    upright = torch.rot90(maps, -1, (-2, -1)).flip(-1)  # undo the turn, then the mirroring
    torch.testing.assert_close(views.seen(upright, 5), maps)
    for half in halves:
        turned = views.seen(half, 5)
        torch.testing.assert_close((maps * turned).sum((2, 3)), (upright * half).sum((2, 3)))


@pytest.mark.parametrize("strategy", ["left", "late", "input", "embedding", "film", "attention"])
def test_a_view_reaches_the_network_wherever_the_label_does(strategy):
    model = make(NETWORKS[0], "mirror", ImageShape(1, 4, 4, 2), strategy=strategy)
    images = torch.randint(0, 2, (2, 1, 4, 4))
    upright, mirrored = (model.class_log_prob_maps(images, shown=torch.full((2,), v)) for v in (0, 1))
    assert (upright - mirrored).abs().max() > 1e-6
    assert upright.equal(model.class_log_prob_maps(images))
    one_by_one = model.distribution(images, torch.tensor([1, 1]) + 2).log_prob(images)
    torch.testing.assert_close(mirrored[:, 1], one_by_one, rtol=0, atol=1e-9)


@pytest.mark.parametrize("config", [LikelihoodConfig(), HybridConfig()], ids=["likelihood", "hybrid"])
def test_objectives_see_each_image_under_its_view(config):
    model = make(NETWORKS[0], "all", ImageShape(1, 4, 4, 2))
    objective = config.build(model).double()
    objective.begin(1.0)
    levels, labels, shown = torch.randint(0, 2, (6, 1, 4, 4)), torch.arange(6) % 2, torch.arange(6)
    losses = objective(Batch(levels, labels, views=shown))
    expected = -model.distribution(levels, labels + 2 * shown).log_prob(levels).sum((1, 2)) / 16
    torch.testing.assert_close(losses.parts["likelihood"].double(), expected, rtol=0, atol=1e-6)
    parts = Batch(levels, labels, views=shown).split(4)
    assert [part.views.tolist() for part in parts] == [[0, 1, 2, 3], [4, 5]]


def test_what_does_not_go_together_is_refused():
    with pytest.raises(UserError, match="must be square"):
        make(NETWORKS[0], "turns", ImageShape(1, 4, 3, 2))
    make(NETWORKS[0], "mirror", ImageShape(1, 4, 3, 2))
    with pytest.raises(UserError, match="'none' lets it enter nowhere"):
        make(NETWORKS[0], "mirror", strategy="none")
    with pytest.raises(UserError, match="group of views"):
        make(NETWORKS[0], "sideways")
    model = make(NETWORKS[0], "none", ImageShape(1, 4, 3, 2))
    with pytest.raises(UserError, match="must be square"):
        nats(model, torch.zeros(1, 1, 4, 3, dtype=torch.uint8), views="all")


def test_a_model_of_views_is_trained_resumed_and_asked(tmp_path, capsys):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (24, 6, 6)).astype(np.uint8)
    for number, image in enumerate(images):
        path = tmp_path / "set" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    settings = [
        *("--network.resnets", "1", "--network.filters", "4", "--training.batch", "8"),
        *("--fusion.views", "all", "--device", "cpu", "--training.precision", "32-true"),
    ]
    data = str(tmp_path / "set")
    assert (
        main(
            ["train", data, *settings, "--training.epochs", "2", "--no-page", "--out", str(tmp_path / "run")]
        )
        == 0
    )
    model = checkpoint.load(tmp_path / "run")
    assert model.config.fusion.views == "all"
    assert "views" in repr(model)
    csv = tmp_path / "answers.csv"
    assert main(["classify", str(tmp_path / "run"), data, "--csv", str(csv), "--views", "all"]) == 0
    assert len(csv.read_text().splitlines()) == 25
    words = ["evaluate", str(tmp_path / "run"), "--data", data, "--split", "train", "--no-baselines"]
    figures = []
    for group in ("none", "all"):
        assert main([*words, "--views", group, "--out", str(tmp_path / group)]) == 0
        figures.append(json.loads((tmp_path / group / "metrics.json").read_text())["bits_per_dim"])
    assert figures[0] != figures[1]
    again = pb.evaluate(model, data, split="train", views="all", progress=False)
    assert figures[1] == pytest.approx(again.bits_per_dim)
    assert main([*words, "--views", "all", "--seen", "--out", str(tmp_path / "no")]) == 2
    assert not (tmp_path / "no").exists()
    capsys.readouterr()
