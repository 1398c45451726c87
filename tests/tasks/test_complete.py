"""Completing: known pixels are kept, and each of the others follows from those before it."""

import numpy as np
import pytest
import torch
from tests.test_laws import NETWORKS, images, make
from torch import Tensor

import pixelbayes as pb
from pixelbayes.regions import as_mask
from pixelbayes.tasks.complete import _log_likelihood, known_class
from pixelbayes.tasks.drawing import Drawing
from pixelbayes.walk import CachedLook, Known, NaiveLook, noise, sample, walk

SHAPES = {name: pb.ImageShape(3, 5, 6, 16) for name in NETWORKS}


def masks(height: int, width: int) -> dict[str, Tensor]:
    """Known cells of many kinds: rows above, between and below; a half; holes; everything, nothing."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.zeros(height, width, dtype=torch.bool)
    rows[[0, 2, 3]] = True
    left = torch.zeros_like(rows)
    left[:, : width // 2] = True
    below = torch.zeros_like(rows)
    below[height // 2 :] = True
    holes = torch.rand(height, width, generator=generator) < 0.6
    return {
        "rows": rows,
        "left": left,
        "below": below,
        "holes": holes,
        "all": torch.ones_like(rows),
        "none": torch.zeros_like(rows),
        "last": ~torch.zeros_like(rows).index_fill(0, torch.tensor([height - 1]), True),
    }


def walked(model, levels: Tensor, mask: Tensor, labels: Tensor, looks) -> Tensor:
    """What a walk makes of the images around what is known."""
    uniform = torch.stack([noise(3, index, model.shape) for index in range(len(levels))])
    found = levels * mask[:, None]
    for row in walk(model, labels, sample(uniform), len(levels), known=Known(levels, mask), looks=looks):
        found = row.levels
    return found.to(levels.dtype)


@pytest.mark.parametrize("network", NETWORKS)
def test_known_cells_are_kept_and_the_rest_is_what_a_full_pass_draws(network: str) -> None:
    model = make(network, SHAPES[network])
    levels, labels = images(model)
    for name, mask in masks(5, 6).items():
        each = torch.stack([mask, mask if name in ("all", "none") else mask.roll(1, 1)])
        found = walked(model, levels, each, labels, CachedLook)
        assert torch.equal(found, walked(model, levels, each, labels, NaiveLook)), name
        kept = each[:, None].expand_as(levels)
        assert torch.equal(found[kept], levels[kept]), name
        assert torch.equal(found, levels) == (name == "all"), name


@pytest.mark.parametrize("network", NETWORKS)
def test_the_distribution_at_an_unknown_pixel_is_its_conditional(network: str) -> None:
    """All known but some: what the walk is offered there is what a pass over the whole image says."""
    model = make(network, SHAPES[network])
    levels, labels = images(model)
    unknown = [(0, 0), (2, 3), (2, 4), (4, 5)]
    mask = torch.ones(2, 5, 6, dtype=torch.bool)
    for row, column in unknown:
        mask[:, row, column] = False
    asked = []
    with torch.inference_mode():
        whole = model.distribution(levels, labels).log_prob(levels)

        def choose(pixel, at, channels, _):
            row, column = at
            true = levels[:, :, row : row + 1, column : column + 1]
            if len(channels) == model.shape.channels:
                found = pixel.log_prob(true)
            else:
                found = pixel.channel(channels[0], true[:, : channels[0]]).log_prob(true[:, channels[0]])
            asked.append((at, found[:, 0, 0]))
            return true[:, channels[0] : channels[-1] + 1]

        for _ in walk(model, labels, choose, 2, known=Known(levels, mask)):
            pass
    assert sorted({at for at, _ in asked}) == unknown
    for row, column in unknown:
        total = sum(nats for at, nats in asked if at == (row, column))
        torch.testing.assert_close(total, whole[:, row, column], rtol=0, atol=1e-10)


def test_rows_known_at_once_are_read_in_one_look_and_what_follows_the_last_choice_is_not_looked_at() -> None:
    model = make("pixelcnn_pp", pb.ImageShape(1, 7, 2, 8))
    seen = []

    class Told(NaiveLook):
        def __call__(self, signal, label, row, column):
            seen.append((row, column))
            return super().__call__(signal, label, row, column)

        def read(self, signal, label, rows):
            seen.append(rows)

    mask = torch.ones(7, 2, dtype=torch.bool)
    mask[2, 0] = mask[5, 1] = False
    levels, labels = images(model)
    walked(model, levels, mask.expand(2, 7, 2), labels, Told)
    assert seen == [(0, 2), (2, 0), (2, 1), (3, 5), (5, 0), (5, 1)]


@pytest.fixture(scope="module")
def model() -> pb.AutoregressiveImageModel:
    return make("pixelcnn_pp", pb.ImageShape(1, 5, 4, 8)).float()


def test_complete_keeps_what_is_known_and_looks_at_nothing_else(model) -> None:
    levels, _ = images(model, 3)
    mask = masks(5, 4)["holes"]
    drawn = pb.complete(model, levels, mask, labels=[0, 1, 2], seed=1, per_image=2)
    assert drawn.shape == (6, 1, 5, 4)
    assert drawn.dtype == model.shape.dtype
    kept = levels.repeat_interleave(2, 0)[..., mask]
    assert torch.equal(drawn[..., mask], kept.to(drawn.dtype))
    rubbish = torch.where(mask, levels, -999)
    assert torch.equal(pb.complete(model, rubbish, mask, labels=[0, 1, 2], seed=1, per_image=2), drawn)
    assert not torch.equal(drawn[::2], drawn[1::2])
    assert not torch.equal(pb.complete(model, levels, mask, [0, 1, 2], seed=2, per_image=2), drawn)
    assert torch.equal(pb.complete(model, levels, mask, [0, 1, 2], seed=1, per_image=2, batch=4), drawn)


def test_nothing_known_is_generating_and_everything_known_is_a_copy(model) -> None:
    levels, _ = images(model, 3)
    nothing = np.zeros((5, 4), bool)
    assert torch.equal(
        pb.complete(model, levels, nothing, labels=[2, 0, 1], seed=5),
        pb.generate(model, [2, 0, 1], seed=5),
    )
    assert torch.equal(pb.complete(model, levels, ~nothing).long(), levels)
    assert pb.complete(model, levels[:0], nothing).shape == (0, 1, 5, 4)


def test_a_mask_for_each_image_and_one_label_for_all(model) -> None:
    levels, _ = images(model, 2)
    each = torch.stack([masks(5, 4)["left"], masks(5, 4)["below"]])
    drawn = pb.complete(model, levels, each, labels="b", seed=4)
    assert torch.equal(drawn[:, 0][each].long(), levels[:, 0][each])
    first = pb.complete(model, levels[:1], "0:5,0:2", labels=["b"], seed=4)
    torch.testing.assert_close(drawn[:1], first)


def test_the_class_is_that_of_the_known_part() -> None:
    """Of the first rows, exactly: the likelihood of those pixels is their part of the whole's."""
    model = make("pixelcnn_pp", pb.ImageShape(1, 5, 4, 8))
    levels = pb.generate(model, [0, 1, 2] * 8)
    maps = torch.stack([model.log_prob_map(levels, [c] * 24) for c in range(3)], 1)
    found = known_class(model, levels, "upto:3,2")
    assert torch.equal(found, maps.flatten(2)[:, :, :14].sum(2).argmax(1))
    assert len(set(found.tolist())) > 1
    rows = pb.complete(model, levels, "upto:3,2", seed=1)
    assert torch.equal(rows, pb.complete(model, levels, "upto:3,2", labels=found, seed=1))
    other = known_class(model, levels, "2:,:", seed=1)
    assert torch.equal(other, known_class(model, levels, "2:,:", seed=1))


def test_what_lies_before_a_known_pixel_is_averaged_over() -> None:
    """Where unknown pixels come first, the mean over draws is the probability of the known one itself."""
    model = make("pixelcnn_pp", pb.ImageShape(1, 1, 3, 2))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    mask = torch.tensor([[False, False, True]]).expand(4000, 1, 3)
    given = Known(torch.tensor([0, 0, 1]).expand(4000, 1, 1, 3), mask)
    found = _log_likelihood(model, given, 1, Drawing(seed=3, batch=4000)).exp()
    every = torch.tensor([[a, b, 1] for a in (0, 1) for b in (0, 1)]).view(4, 1, 1, 3)
    with torch.no_grad():
        exact = float(model.log_prob(every, [1] * 4).exp().sum())
    assert abs(float(found.mean()) - exact) < 4 * float(found.std()) / 4000**0.5
    assert float(found.std()) > 0.01


def test_a_model_without_classes_and_images_of_another_size() -> None:
    plain = pb.create("digits", classes=(), filters=2, size=4)
    levels = torch.randint(0, 17, (2, 1, 6, 5))
    drawn = pb.complete(plain, levels, "0:2,:")
    assert drawn.shape == (2, 1, 6, 5)
    assert torch.equal(drawn[:, :, :2].long(), levels[:, :, :2])
    with pytest.raises(pb.UserError, match="no classes"):
        pb.complete(plain, levels, "0:2,:", labels=0)
    with pytest.raises(pb.UserError, match="no classes"):
        known_class(plain, levels, "0:2,:")


@pytest.mark.parametrize(
    ("region", "rows"),
    [
        ("0:1,:", "1111 0000 0000"),
        (":,1:3", "0110 0110 0110"),
        ("-1:,-2:", "0000 0000 0011"),
        ((slice(1, 2), slice(None)), "0000 1111 0000"),
        ("upto:1,2", "1111 1100 0000"),
    ],
)
def test_regions(region, rows: str) -> None:
    assert [bool(int(cell)) for cell in rows.replace(" ", "")] == as_mask(region, 1, 3, 4).flatten().tolist()


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ("left", "is not understood"),
        ("0:2", "is not understood"),
        ("0:1:2,:", "is not understood"),
        ("upto:6,0", "reaches beyond the image of 5x4"),
        ("upto:0,0", "is empty"),
        ("2:2,:", "is empty"),
        ("0:9,:", "reaches beyond"),
        (np.ones((4, 5), bool), "is \\(5, 4\\) or \\(2, 5, 4\\), not \\(4, 5\\)"),
        (np.ones((5, 4)), "true and false, not torch.float64"),
        (np.full((5, 4), 2), "true and false"),
        (None, "a mask"),
    ],
)
def test_what_is_no_mask_is_refused(model, known, reason: str) -> None:
    with pytest.raises(pb.UserError, match=reason):
        pb.complete(model, images(model)[0], known)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"labels": [0]}, None),
        ({"labels": [0, 1, 2]}, "2 images need 2 labels"),
        ({"labels": "z"}, "unknown class 'z'"),
        ({"labels": 3}, r"class 3 is outside 0\.\.2"),
        ({"per_image": 0}, "must be 1 or more"),
        ({"seed": -1}, "the seed must be 0 or more"),
        ({"temperature": -1}, "temperature must be above 0"),
    ],
)
def test_numbers_and_labels_that_do_not_fit_are_refused(model, words, reason) -> None:
    levels, _ = images(model)
    if reason is None:
        assert len(pb.complete(model, levels, "0:1,:", **words)) == 2
        return
    with pytest.raises(pb.UserError, match=reason):
        pb.complete(model, levels, "0:1,:", **words)


def test_images_that_do_not_fit_are_refused(model) -> None:
    with pytest.raises(pb.UserError, match="1 channel"):
        pb.complete(model, torch.zeros(1, 3, 5, 4, dtype=torch.uint8), "0:1,:")
    with pytest.raises(pb.UserError, match="integer levels"):
        pb.complete(model, torch.zeros(1, 5, 4, dtype=torch.uint8), "0:1,:")
    with pytest.raises(pb.UserError, match=r"lie in 0\.\.7"):
        pb.complete(model, torch.full((1, 1, 5, 4), 8), "0:1,:")
