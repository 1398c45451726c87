"""The divisions that the recipe `digits` is judged over."""

import pytest
import torch
from benchmarks.digits import HELD_OUT, division, judge, overrides

import pixelbayes as pb


@pytest.mark.parametrize("number", [1, 2])
def test_nothing_held_out_is_trained_on(number: int) -> None:
    levels, labels, held_out, truth = division(number)
    assert (len(levels), len(held_out)) == (1797 - HELD_OUT, HELD_OUT)
    assert levels.shape[1:] == (1, 8, 8)
    counts = torch.bincount(truth)
    assert counts.max() - counts.min() <= 2
    assert len(labels) == len(levels)
    everything = torch.cat([levels, held_out]).sum(dtype=torch.int64)
    assert everything == sum(
        part.levels.sum(dtype=torch.int64) for part in pb.open_dataset("digits").splits.values()
    )


def test_the_divisions_differ() -> None:
    assert not torch.equal(division(1)[2], division(2)[2])


def test_the_first_division_is_the_demos() -> None:
    assert torch.equal(division(0)[2], pb.open_dataset("digits").splits["test"].levels)


def test_a_division_is_judged() -> None:
    row = judge(1, overrides(["network.filters=2", "training.epochs=0.02", "training.schedule=cosine"]))
    assert row["images"] == HELD_OUT
    assert 0 <= row["errors"] <= HELD_OUT
    assert row["bits_per_dim"] > 1
