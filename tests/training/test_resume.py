"""Nothing is lost: runs that are stopped, or killed, and go on."""

import os
import random
import signal
import time
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.training.run_small import child, recipe, train_small
from tests.training.small import SmallRecipe

import pixelbayes as pb
from pixelbayes import checkpoint
from pixelbayes.data import Dataset
from pixelbayes.errors import UserError
from pixelbayes.journals import read_rows
from pixelbayes.runs import find_runs
from pixelbayes.training import train
from pixelbayes.training.guard import Guard
from pixelbayes.training.state_files import list_states, load_state


def same_weights(one: Path, other: Path) -> bool:
    first, second = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def same_state(one: Path, other: Path) -> bool:
    first, second = load_file(list_states(one)[-1]), load_file(list_states(other)[-1])
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, digits: Dataset) -> Path:
    """A run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(digits, recipe(), folder, seed=3)
    return folder


def test_a_run_does_not_go_on_with_other_images(tmp_path: Path, digits: Dataset) -> None:
    train(digits, recipe(1), tmp_path / "run", seed=3, max_steps=2)
    images = digits.train
    changed = replace(images, levels=(16 - images.levels.int()).to(images.levels.dtype))
    for other in (changed, images[:-1]):
        with pytest.raises(UserError, match="other images or labels"):
            train(
                replace(digits, splits={**digits.splits, "train": other}),
                recipe(1),
                tmp_path / "run",
                resume=True,
            )


def test_a_run_that_was_told_to_stop_goes_on_when_it_is_told_to(tmp_path: Path, digits: Dataset) -> None:
    run = tmp_path / "run"
    train(digits, recipe(1), run, seed=3, max_steps=2)
    assert train(digits, recipe(1), run, resume=True, max_steps=4).record.training.steps == 4
    assert train(digits, recipe(1), run, resume=True).record.training.steps == 15


def test_a_killed_run_keeps_its_limit_of_steps(tmp_path: Path, digits: Dataset) -> None:
    run = tmp_path / "run"
    train(digits, recipe(1), run, seed=3, max_steps=4)
    (run / "training.json").unlink()  # as if it had been killed before its end
    assert train(digits, recipe(1), run, resume=True).record.training.steps == 4


def test_the_folder_of_a_run_is_a_model_with_its_papers(whole: Path, digits: Dataset) -> None:
    model = checkpoint.load(whole)
    assert model.classes == digits.classes
    assert replace(model.record.data, class_counts={}, trained_on="") == digits.preparation
    assert model.record.training.steps == 30
    assert model.calibration.temperature > 0
    assert len(model.calibration.offsets) == 10
    names = {path.name for path in whole.iterdir()}
    assert {
        "journal.csv",
        "curves.png",
        "samples.png",
        "augmented.png",
        "training.json",
        "events",
        "state",
    } <= names


def test_another_seed_gives_another_model(whole: Path, digits: Dataset, tmp_path: Path) -> None:
    train(digits, recipe(), tmp_path / "run", seed=4)
    assert not same_weights(whole, tmp_path / "run")


def test_a_run_in_two_sittings_is_the_run_in_one(whole: Path, digits: Dataset, tmp_path: Path) -> None:
    train(digits, recipe(), tmp_path, seed=3, max_steps=11)
    assert not same_state(whole, tmp_path)
    # Without a recipe, the run's own is taken.
    train(digits, None, tmp_path, resume=True, max_steps=1000)
    assert same_state(whole, tmp_path)
    assert same_weights(whole, tmp_path)
    steps = [int(row["step"]) for row in read_rows(tmp_path / "journal.csv")]
    assert steps == sorted(steps)
    assert steps[-1] == 30


def test_resuming_a_finished_run_changes_nothing(whole: Path, digits: Dataset) -> None:
    before = load_file(whole / "model.safetensors")
    train(digits, recipe(), whole, resume=True)
    after = load_file(whole / "model.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_broken_last_state_costs_the_steps_since_the_one_before(
    whole: Path, digits: Dataset, tmp_path: Path
) -> None:
    train(digits, recipe(), tmp_path, seed=3, max_steps=11)
    newest = list_states(tmp_path)[-1]
    newest.write_bytes(newest.read_bytes()[:1000])
    train(digits, recipe(), tmp_path, resume=True, max_steps=30)
    assert same_state(whole, tmp_path)


def wait_for_state(process: BaseProcess, out: Path) -> None:
    """Until the run has begun to write states, or has ended."""
    known = list_states(out)
    while list_states(out) == known and process.is_alive():
        time.sleep(0.002)


def test_killed_at_random_moments_a_run_ends_as_if_nothing_had_happened(whole: Path, tmp_path: Path) -> None:
    moments, out, told = random.Random(0), tmp_path / "run", tmp_path / "told.txt"
    for _ in range(6):
        process = child(train_small, told, out, recipe(), resume=True)
        wait_for_state(process, out)
        time.sleep(moments.uniform(0.0, 0.3))
        process.kill()
        process.join()
        if (out / "config.json").exists():
            checkpoint.load(out)
    train_small(out, recipe(), resume=True)
    assert same_state(whole, out)
    assert same_weights(whole, out)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_ends(tmp_path: Path, number: int, code: int) -> None:
    out, file = tmp_path / "run", tmp_path / "told.txt"
    process = child(train_small, file, out, recipe(100))
    wait_for_state(process, out)
    os.kill(process.pid or 0, number)
    process.join(60)
    told = file.read_text()
    assert process.exitcode == code, told
    assert "--resume" in told
    assert "Traceback" not in told
    assert f"step {int(list_states(out)[-1].stem)};" in told
    assert checkpoint.load(out).record.training.finished is False


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    def stubborn() -> None:
        with Guard():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)

    process = child(stubborn, tmp_path / "told.txt")
    process.join(30)
    assert process.exitcode == 143


def test_a_folder_with_something_in_it_is_refused(digits: Dataset, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(UserError, match="--overwrite"):
        train(digits, recipe(), tmp_path, max_steps=1)
    train(digits, recipe(), tmp_path, max_steps=1, overwrite=True)
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_resuming_in_an_empty_folder_begins(digits: Dataset, tmp_path: Path) -> None:
    model = train(digits, recipe(), tmp_path, max_steps=1, resume=True)
    assert model.record.training.steps == 1


def test_overwriting_forgets_the_earlier_run(whole: Path, digits: Dataset, tmp_path: Path) -> None:
    train(digits, recipe(), tmp_path, seed=1, max_steps=3)
    train(digits, recipe(), tmp_path, seed=3, overwrite=True)
    assert same_weights(whole, tmp_path)
    assert len(read_rows(tmp_path / "journal.csv")) == len(read_rows(whole / "journal.csv"))


def test_a_run_does_not_go_on_with_another_network(digits: Dataset, tmp_path: Path) -> None:
    train(digits, recipe(), tmp_path, max_steps=1)
    with pytest.raises(UserError, match="begun with another network"):
        train(digits, recipe().still(), tmp_path, resume=True)


def test_a_run_that_stopped_early_goes_on_with_more_patience(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pixelbayes.training.assess._value", lambda run, metrics: 0.0)  # never better
    monkeypatch.setattr("pixelbayes.training.pacing.FORWARD_COST", 0.0)  # validated as often as it is asked

    def impatient(patience: int) -> SmallRecipe:
        return recipe(1, validate_every=0.2, patience=patience)

    first = train(digits, impatient(1), tmp_path, seed=3).record.training
    assert first.stopped
    assert train(digits, impatient(1), tmp_path, resume=True).record.training.steps == first.steps
    more = train(digits, impatient(100), tmp_path, resume=True).record.training
    assert not more.stopped
    assert more.steps > first.steps


def test_a_kill_while_pictures_are_drawn_finds_the_kept_weights_in_the_state(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(out: Path, best: int) -> None:
        if best > 0:
            raise SystemExit

    monkeypatch.setattr("pixelbayes.training.assess.draw_curves", killed)
    with pytest.raises(SystemExit):
        train(digits, recipe(2, validate_every=0.5, checkpoint_seconds=1e6), tmp_path, seed=3, device="cpu")
    saved = load_state(tmp_path) or pytest.fail("there is no state")
    kept = pb.load(tmp_path).record.training
    assert kept.step == saved.state.best_step > 0
    assert kept.validation == saved.state.best_figures


def test_the_size_of_a_batch_stays(digits: Dataset, tmp_path: Path) -> None:
    train(digits, recipe(1, batch=8), tmp_path, max_steps=2, seed=3, device="cpu")
    with pytest.raises(UserError, match="begun with batches of 8"):
        train(digits, recipe(1, batch=16), tmp_path, seed=3, device="cpu", resume=True)


def test_the_rate_of_the_labels_stays_since_moments_are_kept_by_its_groups(
    digits: Dataset, tmp_path: Path
) -> None:
    train(digits, recipe(), tmp_path, max_steps=1)
    with pytest.raises(UserError, match=r"training\.label_rate 4"):
        train(digits, recipe(label_rate=10.0), tmp_path, resume=True)


def test_averaging_does_not_begin_in_mid_run(digits: Dataset, tmp_path: Path) -> None:
    train(digits, recipe(), tmp_path, max_steps=1)
    with pytest.raises(UserError, match="begun with averaged weights"):
        train(digits, recipe(ema=0.0), tmp_path, resume=True)


def test_the_arithmetic_that_is_asked_for_anew_is_taken(digits: Dataset, tmp_path: Path) -> None:
    train(digits, recipe(), tmp_path, max_steps=1)
    model = train(digits, recipe(precision="bf16-mixed"), tmp_path, max_steps=2, resume=True)
    assert model.record.training.precision == "bf16-mixed"


def test_what_a_kill_left_half_written_goes_when_the_run_goes_on(digits: Dataset, tmp_path: Path) -> None:
    train(digits, recipe(), tmp_path, max_steps=1)
    left = tmp_path / "state" / ".000000002.4711.pixelbayes-tmp.safetensors"
    room = tmp_path / "state" / ".000000002.4711.pixelbayes-tmp.d"
    room.mkdir()
    (room / ".tmpTF7ANd").write_text("half")  # of safetensors
    own = tmp_path / ".notes.tmp"
    left.write_text("half")
    own.write_text("the user's")
    train(digits, recipe(), tmp_path, max_steps=2, resume=True)
    assert not left.exists()
    assert not room.exists()
    assert own.exists()


def test_another_figure_that_chooses_is_compared_with_its_own(digits: Dataset, tmp_path: Path) -> None:
    first = train(digits, recipe(1, learning_rate=1e-2, select="accuracy"), tmp_path, seed=3, max_steps=4)
    before = first.record.training.validation["validation_bits_per_dim"]
    later = train(digits, recipe(2, learning_rate=1e-2), tmp_path, resume=True, max_steps=30)
    told = later.record.training
    assert told.step == 30
    assert told.validation["validation_bits_per_dim"] < before


def test_the_journal_has_one_row_a_step(digits: Dataset, tmp_path: Path) -> None:
    train(digits, recipe(2), tmp_path, seed=3)
    rows = read_rows(tmp_path / "journal.csv")
    steps = [row["step"] for row in rows]
    assert len(steps) == len(set(steps))
    assert rows[-1]["validation_bits_per_dim"]
    assert rows[-1]["train_bits_per_dim"]
    train(digits, recipe(2), tmp_path, resume=True)
    assert [row["step"] for row in read_rows(tmp_path / "journal.csv")] == steps


def test_what_is_not_of_the_kept_weights_is_not_listed(digits: Dataset, tmp_path: Path) -> None:
    train(digits, recipe(2), tmp_path, seed=3, max_steps=4)
    assert find_runs(tmp_path)[0].bits_per_dim is not None
    train(digits, recipe(2, include_validation=True), tmp_path, resume=True, max_steps=8)
    (listed,) = find_runs(tmp_path)
    assert (listed.steps, listed.bits_per_dim, listed.accuracy) == (8, None, None)
