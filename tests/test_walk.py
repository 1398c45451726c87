"""The one loop over the pixels: rows as they are finished, rows that are known, and noise of its own for each image."""

import numpy as np
import pytest
import torch
from torch import Tensor

import pixelbayes as pb
from pixelbayes.tasks.generate import generate
from pixelbayes.walk import CachedLook, Known, NaiveLook, Row, noise, sample, walk


@pytest.fixture(scope="module")
def model() -> pb.AutoregressiveImageModel:
    torch.manual_seed(3)
    made = pb.create("digits", classes=["a", "b"], filters=3, size=(5, 4), levels=8).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return made


LABELS = torch.tensor([0, 1, 1])


def drawn(model: pb.AutoregressiveImageModel, **more) -> list[Row]:
    u = torch.stack([noise(7, index, model.shape) for index in range(3)])
    rows = walk(model, LABELS, sample(u), batch=3, **more)
    return [Row(row.index, row.levels.clone()) for row in rows]


def test_rows_are_yielded_as_they_are_finished(model) -> None:
    rows = drawn(model)
    assert [row.index for row in rows] == [0, 1, 2, 3, 4]
    image = rows[-1].levels
    assert image.dtype == model.shape.dtype
    for row in rows:
        assert torch.equal(row.levels[:, :, : row.index + 1], image[:, :, : row.index + 1])
        assert not row.levels[:, :, row.index + 1 :].any()
    assert image.any()


def test_a_walk_stops_where_nobody_asks_for_more(model) -> None:
    looks = []

    def counted(of: pb.AutoregressiveImageModel, size: tuple[int, int]):
        look = CachedLook(of, size)

        def count(signal: Tensor, label: Tensor | None, row: int, column: int):
            looks.append((row, column))
            return look(signal, label, row, column)

        return count

    u = torch.stack([noise(7, index, model.shape) for index in range(3)])
    next(walk(model, LABELS, sample(u), batch=3, looks=counted))
    assert looks == [(0, column) for column in range(4)]


@pytest.mark.parametrize("looks", [CachedLook, NaiveLook], ids=["cached", "naive"])
@pytest.mark.parametrize("known", [1, 3, 4])
def test_known_rows_are_kept_and_the_rest_follows_from_them(model, known: int, looks) -> None:
    whole = drawn(model)[-1].levels
    above = torch.arange(5)[:, None].expand(5, 4) < known
    rows = drawn(model, known=Known(whole, above.expand(3, 5, 4)), looks=looks)
    assert [row.index for row in rows] == list(range(known, 5))
    assert torch.equal(rows[-1].levels, whole)
    other = (whole + 1) % 8
    changed = drawn(model, known=Known(other, above.expand(3, 5, 4)), looks=looks)[-1].levels
    assert torch.equal(changed[:, :, :known], other[:, :, :known])
    assert not torch.equal(changed[:, :, known:], whole[:, :, known:])


def test_another_size_than_the_models(model) -> None:
    images = generate(model, [0, 1], seed=2, size=(3, 6))
    assert images.shape == (2, 1, 3, 6)
    assert torch.equal(images, generate(model, [0, 1], seed=2, size=(3, 6), looks=NaiveLook))


def test_noise_belongs_to_seed_and_index() -> None:
    shape = pb.ImageShape(3, 2, 5)
    first = noise(0, 4, shape)
    assert (first.shape, first.dtype) == ((3, 2, 5), torch.float64)
    assert torch.equal(first, noise(0, 4, shape))
    assert not torch.equal(first, noise(0, 5, shape))
    assert not torch.equal(first, noise(1, 4, shape))
    assert ((first > 0) & (first < 1)).all()


@pytest.mark.parametrize("batch", [1, 2, 4, 64])
def test_an_image_is_the_same_whatever_the_batch(model, batch: int) -> None:
    labels = [0, 1, 0, 1, 1]
    together = generate(model, labels, seed=9, batch=5)
    assert torch.equal(generate(model, labels, seed=9, batch=batch), together)
    assert torch.equal(generate(model, labels[:3], seed=9, batch=batch), together[:3])


def test_the_last_batch_is_filled_up_to_the_shape_of_the_others(model) -> None:
    seen: list[tuple[int, int, int]] = []
    images = generate(
        model,
        [0, 1, 0],
        seed=1,
        batch=2,
        on_row=lambda first, row: seen.append((first, row.index, len(row.levels))),
    )
    assert len(images) == 3
    assert seen == [(first, index, 2) for first in (0, 2) for index in range(5)]
    alone = generate(model.float(), [0, 1, 0], seed=1, batch=2)
    assert torch.equal(generate(model, [0, 1, 0, 1], seed=1, batch=2)[:3], alone)
    model.double()


def test_the_same_seed_again_and_another(model) -> None:
    first = generate(model, [0, 1], seed=1)
    assert torch.equal(first, generate(model, [0, 1], seed=1))
    assert not torch.equal(first, generate(model, [0, 1], seed=2))


def test_generating_leaves_the_mode_and_the_global_generator_alone(model) -> None:
    before = torch.get_rng_state()
    model.train()
    assert torch.equal(generate(model, [0], seed=1), generate(model.eval(), [0], seed=1))
    model.train()
    generate(model, [0])
    assert model.training
    model.eval()
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("temperature", [-1.0, float("nan")])
def test_a_temperature_that_is_none_is_refused(model, temperature: float) -> None:
    with pytest.raises(pb.UserError, match="temperature must be above 0"):
        generate(model, [0], temperature=temperature)


def test_labels_that_the_model_does_not_know_are_refused(model) -> None:
    for labels in ([2], [-1]):
        with pytest.raises(pb.UserError, match=r"0\.\.1"):
            generate(model, labels)


def test_without_labels_there_is_one_of_each_class(model) -> None:
    assert torch.equal(generate(model, seed=4), generate(model, [0, 1], seed=4))
    assert generate(model, []).shape == (0, 1, 5, 4)


@pytest.mark.parametrize(("count", "labels"), [(0, []), (1, [0]), (3, [0, 1, 0]), (4, [0, 1, 0, 1])])
def test_without_labels_a_count_is_of_the_classes_in_turn(model, count: int, labels: list[int]) -> None:
    assert torch.equal(generate(model, count=count, seed=4), generate(model, labels, seed=4))


@pytest.mark.parametrize(
    ("labels", "indices"),
    [
        (1, [1]),
        ("b", [1]),
        (["b", "a"], [1, 0]),
        (np.array(["b", "a"], object), [1, 0]),
        (["1", "a"], [1, 0]),
        (np.array([1, 0], np.uint16)[::-1], [0, 1]),
        (torch.tensor([1.0, 0.0]), [1, 0]),
    ],
)
def test_labels_by_index_or_name(model, labels, indices: list[int]) -> None:
    assert torch.equal(generate(model, labels, seed=4), generate(model, indices, seed=4))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"labels": [1.5]}, "whole numbers or names"),
        ({"labels": [float("nan")]}, "unknown ones have no likelihood"),
        ({"labels": [None]}, "unknown ones have no likelihood"),
        ({"labels": [[0], [0, 1]]}, "whole numbers or names"),
        ({"labels": ["c"]}, "unknown class 'c'"),
        ({"labels": 2}, r"class 2 is outside 0\.\.1"),
        ({"seed": -1}, "seed must be 0 or more, not -1"),
        ({"count": -1}, "count must be 0 or more, not -1"),
        ({"seed": 1.5}, r"seed must be a whole number, not 1\.5"),
        ({"count": "3"}, "count must be a whole number, not '3'"),
        ({"batch": 0}, "batch must be 1 or more, not 0"),
        ({"temperature": "hot"}, "temperature must be a number, not 'hot'"),
    ],
)
def test_labels_seeds_and_counts_that_are_none_are_refused(model, words, reason: str) -> None:
    with pytest.raises(pb.UserError, match=reason):
        generate(model, **words)


def test_a_model_without_classes_draws_as_many_as_asked() -> None:
    plain = pb.create("digits", classes=(), filters=2, size=3)
    with pytest.raises(pb.UserError, match="no classes: it takes no labels"):
        generate(plain, labels=[3, 4])
    assert generate(plain, count=3).shape == (3, 1, 3, 3)
    assert generate(plain).shape == (1, 1, 3, 3)
