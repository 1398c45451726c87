"""Losses that go astray: skipped, counted, named."""

import errno
from dataclasses import replace
from math import log
from pathlib import Path

import pytest
import safetensors.torch
import torch
from tests.training.run_small import recipe
from tests.training.small import SmallRecipe

import pixelbayes as pb
from pixelbayes import checkpoint
from pixelbayes.data import Dataset
from pixelbayes.distributions import Categorical
from pixelbayes.errors import UserError
from pixelbayes.training import train
from pixelbayes.training.batches import ImageStore
from pixelbayes.training.run_state import RunState
from pixelbayes.training.state_files import list_states
from pixelbayes.training.watch import LossWatch, nonfinite_images


def fresh() -> RunState:
    return RunState(0, None, None, training={}, augment={})


def watch(tolerate: int = 3) -> LossWatch:
    return LossWatch(fresh(), 8.0, tolerate, lambda step: ", ".join(f"{step + row}.png" for row in range(4)))


def feed(watched: LossWatch, losses: list[float]) -> None:
    for step, bits in enumerate(losses):
        loss = torch.tensor(bits * log(2))
        watched.add(step, loss, ~loss.isfinite())
        watched.look()


def test_single_non_finite_losses_are_counted_and_survived() -> None:
    watched = watch()
    feed(watched, [5.0, float("nan"), float("inf"), 4.0, float("nan"), 3.0])
    assert (watched.state.skipped, watched.streak, watched.healthy) == (3, 0, True)
    assert watched.take_mean() == pytest.approx(4.0)


def test_a_skipped_step_is_told_with_its_images_the_first_times() -> None:
    told: list[str] = []
    watched = LossWatch(fresh(), 8.0, 3, lambda step: f"{step}.png", told.append)
    feed(watched, [5.0, float("nan")] * 5)
    assert watched.state.skipped == 5
    assert len(told) == 3
    assert "step 1 was skipped" in told[0]
    assert "1.png" in told[0]
    assert "only counted" in told[2]


def test_the_image_that_a_step_failed_at_is_found(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    model = pb.create("digits", filters=4)
    images = digits.train
    monkeypatch.setattr(
        type(model),
        "log_prob_map",
        lambda self, levels, labels: torch.where(labels[:, None, None] == 3, torch.nan, -1.0),
    )
    batches = ImageStore(images.levels, images.labels, torch.device("cpu"))
    name = nonfinite_images(model, batches, lambda step: torch.arange(step, step + 20), images)
    threes = [images.paths[row] for row in range(20) if images.labels[row] == 3]
    assert name(0) == ", ".join(threes)
    batches = ImageStore(images.levels, torch.full_like(images.labels, 4), torch.device("cpu"))
    name = nonfinite_images(model, batches, lambda step: torch.arange(9), images)
    assert name(0).endswith("... (9 in all)")  # none alone: the whole batch


def test_repeated_ones_stop_the_run_and_name_the_batch() -> None:
    watched = watch()
    with pytest.raises(UserError, match=r"3 steps.*step 4.*images 4.png, 5.png, 6.png, 7.png"):
        feed(watched, [5.0, 5.0, *[float("nan")] * 3])


def test_a_streak_is_not_worth_a_state() -> None:
    watched = watch()
    feed(watched, [5.0, float("nan")])
    assert not watched.healthy


def test_divergence_is_named_with_what_to_change() -> None:
    with pytest.raises(UserError, match=r"diverges.*learning rate"):
        feed(watch(), [9.0] * 30 + [80.0] * 60)


def test_a_hopeless_loss_is_named_after_few_steps() -> None:
    with pytest.raises(UserError, match=r"diverges.*at step 11"):
        feed(watch(), [9.0, 20.0, *[1e6] * 30])


def test_a_short_run_that_ends_astray_is_named() -> None:
    watched = watch()
    feed(watched, [9.0, *[80.0] * 20])
    with pytest.raises(UserError, match=r"diverges: 80 bits/dim at step 21"):
        watched.settle(21)
    recovered = watch()
    feed(recovered, [9.0, *[80.0] * 20, 10.0])
    recovered.settle(22)


def test_a_diverged_short_run_keeps_the_weights_from_before(digits: Dataset, tmp_path: Path) -> None:
    fast = recipe(9, learning_rate=3.0, schedule="constant", warmup=0.0, clip=0.0, validate_every=0.01)
    fast = replace(fast, distribution=Categorical())  # its loss stays finite
    with pytest.raises(UserError, match="diverges"):
        train(digits, fast, tmp_path, max_steps=30, seed=0, device="cpu")
    kept, held_out = pb.load(tmp_path), digits.validation
    bits = -kept.log_prob(held_out.levels, held_out.labels).mean() / 64 / log(2)
    assert bits < 3 * log(17) / log(2)


def test_a_bad_start_that_improves_is_no_divergence() -> None:
    feed(watch(), [60.0 * 0.97**step for step in range(200)])


def test_a_learning_rate_that_makes_nan_leaves_a_model_and_a_good_state(digits: Dataset, out: Path) -> None:
    parts: SmallRecipe = recipe(
        5, learning_rate=1e30, schedule="constant", warmup=0.0, checkpoint_seconds=0.0
    )
    with pytest.raises(UserError, match=r"not finite.*training images.*learning rate"):
        train(digits, parts, out)
    model = checkpoint.load(out)
    assert torch.isfinite(model.log_prob(digits.train.levels[:4], digits.train.labels[:4])).all()
    assert list_states(out)
    # With a sane rate the run goes on from that state.
    model = train(digits, recipe(0.5), out, resume=True)
    assert model.record.training.validation["validation_bits_per_dim"] < 10


def test_a_disk_that_fills_up_in_mid_run_leaves_whole_files(
    digits: Dataset, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, calls = safetensors.torch.save_file, []

    def filling(tensors: object, path: Path, metadata: object) -> None:
        calls.append(path)
        if len([call for call in calls if "state" in call.parts]) > 2:
            path.write_bytes(b"half of it")
            raise OSError(errno.ENOSPC, "No space left on device")
        save(tensors, path, metadata)  # type: ignore[arg-type]

    monkeypatch.setattr(safetensors.torch, "save_file", filling)
    with pytest.raises(UserError, match="No space left on device"):
        train(digits, recipe(checkpoint_seconds=0.0), out, seed=3)
    monkeypatch.undo()
    checkpoint.load(out)
    assert len(list_states(out)) == 2
    assert train(digits, None, out, resume=True).record.training.finished
