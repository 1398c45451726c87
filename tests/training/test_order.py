import pytest
import torch
from torch import Tensor

from pixelbayes.training.batches import class_shares, make_order

LABELS = torch.tensor([0] * 50 + [1] * 10 + [2] * 4)


def counts_of(indices: Tensor) -> list[int]:
    return torch.bincount(LABELS[indices], minlength=3).tolist()


def test_an_epoch_shows_every_image_once() -> None:
    order = make_order(LABELS, 3, batch=8, seed=0)
    assert sorted(torch.cat([order.indices(step) for step in range(8)]).tolist()) == list(range(64))


def test_batches_go_on_across_epochs_without_a_gap() -> None:
    order = make_order(LABELS, 3, batch=24, seed=0)
    seen = torch.cat([order.indices(step) for step in range(8)])
    assert all(len(order.indices(step)) == 24 for step in range(8))
    assert torch.bincount(seen, minlength=64).tolist() == [3] * 64


def test_a_batch_may_be_larger_than_the_set() -> None:
    seen = make_order(LABELS, 3, batch=160, seed=0).indices(0)
    assert set(torch.bincount(seen, minlength=64).tolist()) == {2, 3}


def test_steps_may_be_asked_for_in_any_order() -> None:
    one, other = (
        make_order(LABELS, 3, 24, seed=5, balanced=True),
        make_order(LABELS, 3, 24, seed=5, balanced=True),
    )
    forward = [one.indices(step) for step in range(6)]
    backward = [other.indices(step) for step in reversed(range(6))]
    assert all(torch.equal(a, b) for a, b in zip(forward, reversed(backward), strict=True))


def test_another_seed_or_epoch_is_another_order() -> None:
    order = make_order(LABELS, 3, 64, seed=0)
    assert not torch.equal(order.indices(0), order.indices(1))
    assert not torch.equal(order.indices(0), make_order(LABELS, 3, 64, seed=1).indices(0))


def test_balanced_sampling_draws_each_class_equally_and_its_images_alike() -> None:
    seen = make_order(LABELS, 3, batch=64, seed=0, balanced=True).indices(0)
    assert max(counts_of(seen)) - min(counts_of(seen)) <= 1
    rare = torch.bincount(seen, minlength=64)[60:]
    assert rare.max() - rare.min() <= 1


def test_the_frequent_class_is_not_always_cut_to_the_same_images() -> None:
    order = make_order(LABELS, 3, batch=64, seed=0, balanced=True)
    seen = torch.cat([order.indices(step) for step in range(20)])
    assert (torch.bincount(seen, minlength=64) > 0).all()


def test_a_share_of_the_samples_comes_from_chosen_classes() -> None:
    seen = make_order(LABELS, 3, batch=640, seed=0, focus=[2, 1], focus_share=0.9).indices(0)
    zero, one, two = counts_of(seen)
    assert abs(zero - 64) <= 10
    assert abs(one / two - 10 / 4) < 0.5


@pytest.mark.parametrize("counts", [[560, 38, 2], [5] * 100])
def test_no_class_is_left_out_for_good(counts: list[int]) -> None:
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    order = make_order(labels, len(counts), 16, 0, focus=[1], focus_share=0.9)
    drawn = sum(torch.bincount(labels[order.epoch(number)], minlength=len(counts)) for number in range(200))
    wanted = class_shares(labels, len(counts), focus=[1], focus_share=0.9) * len(labels) * 200
    assert torch.allclose(drawn.double(), wanted, rtol=0.3, atol=20)
    assert bool((drawn > 0).all())


def test_a_class_without_images_gets_no_share() -> None:
    shares = class_shares(torch.tensor([0, 0, 2]), 4, balanced=True)
    assert shares.tolist() == [0.5, 0.0, 0.5, 0.0]
