"""A run that goes on knows what it was begun with, and does not compare what cannot be compared."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.training.run_small import recipe

import pixelbayes as pb
from pixelbayes.cli.train_command import parse
from pixelbayes.data import Dataset
from pixelbayes.errors import UserError
from pixelbayes.objectives.hybrid import HybridConfig
from pixelbayes.training import train
from pixelbayes.training.run_state import RunOptions, RunState, continued

WORDS = {"device": "cpu", "training.sample_every": 0.0, "training.precision": "32-true"}


def write(folder: Path, rows: range) -> None:
    for name in "ab":
        (folder / name).mkdir(parents=True, exist_ok=True)
        for row in rows:
            noise = np.random.default_rng(row).integers(0, 100, (6, 6)) + 50 * (name == "b")
            Image.fromarray(noise.astype(np.uint8)).save(folder / name / f"{row}.png")


def test_a_run_from_a_model_remembers_its_images_in_two_sittings(tmp_path: Path) -> None:
    data, first = tmp_path / "data", tmp_path / "first"
    write(data, range(12))
    pb.train(data, out=first, recipe="digits", size=6, levels=256, filters=2, max_steps=1, **WORDS)
    write(
        data, range(12, 24)
    )  # the folder grows: without the first model's memory it would be divided otherwise
    whole = pb.train(data, out=tmp_path / "whole", start=first, max_steps=2, **WORDS)
    pb.train(data, out=tmp_path / "parts", start=first, max_steps=1, **WORDS)
    parts = pb.train(data, out=tmp_path / "parts", resume=True, max_steps=2, device="cpu")
    assert parts.record.data.held_out == whole.record.data.held_out
    assert parts.record.data.trained_on == whole.record.data.trained_on
    other = np.random.default_rng(9).integers(0, 256, (24, 6, 6), dtype=np.uint8)
    whole = pb.train(other, list("ab") * 12, out=tmp_path / "w", start=first, max_steps=2, **WORDS)
    pb.train(other, list("ab") * 12, out=tmp_path / "p", start=first, max_steps=1, **WORDS)
    parts = pb.train(other, list("ab") * 12, out=tmp_path / "p", resume=True, max_steps=2, device="cpu")
    assert parts.record.data.trained_on == whole.record.data.trained_on


def test_images_that_were_trained_on_do_not_judge_later(digits: Dataset, tmp_path: Path) -> None:
    train(digits, recipe(include_validation=True), tmp_path, max_steps=1)
    with pytest.raises(UserError, match="they cannot judge it any more"):
        train(digits, recipe(), tmp_path, max_steps=2, resume=True)


def options(digits: Dataset, **training: object) -> RunOptions:
    return RunOptions(
        dataset=digits, recipe=recipe(**training), out=None, minutes=None, max_steps=None, seed=None,  # type: ignore[arg-type]
        device=torch.device("cpu"), resume=True, overwrite=False, start=None, saved=None,
    )  # fmt: skip


def test_figures_of_other_images_are_not_compared(digits: Dataset) -> None:
    from pixelbayes.plain import to_plain

    begun = recipe(validation_pairs=40)
    state = RunState(
        seed=0, minutes=None, max_steps=None, training=to_plain(begun.training), augment={},
        recipe=begun.to_dict(), step=7, validated=7, best=-2.0, best_step=5, stale=1,
        best_figures={"validation_bits_per_dim": 2.0},
    )  # fmt: skip
    kept = continued(RunState.from_dict(state.to_dict()), options(digits, validation_pairs=40))
    assert (kept.best, kept.stale) == (-2.0, 1)
    anew = continued(state, options(digits, validation_pairs=4000))
    assert (anew.best, anew.best_figures, anew.stale, anew.validated) == (None, {}, 0, -1)


def test_a_signal_in_the_last_picture_is_obeyed(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pixelbayes.training import assess

    monkeypatch.setattr(assess, "draw_samples", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        train(digits, recipe(), tmp_path, max_steps=1)
    assert pb.load(tmp_path).record.training.finished


def test_a_temperature_that_is_learned_goes_on(digits: Dataset, tmp_path: Path) -> None:
    begun = replace(recipe(), objective=HybridConfig(temperature=5.0))
    train(digits, begun, tmp_path, max_steps=1)
    with pytest.raises(UserError, match=r"begun with objective\.temperature 5\.0"):
        train(digits, replace(begun, objective=HybridConfig(temperature=9.0)), tmp_path, resume=True)


def test_settings_of_the_runs_objective_are_options_when_it_goes_on(
    digits: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(digits, replace(recipe(), objective=HybridConfig()), tmp_path / "run", max_steps=1, seed=5)
    for way in ("--out", "--from"):
        words = ["digits", way, str(tmp_path / "run"), *(["--resume"] if way == "--out" else [])]
        _, fields = parse([*words, "--objective.weight", "0.1"])
        assert fields["objective.weight"] == 0.1
    with pytest.raises(UserError, match=r"--objective\.weight is a setting of another objective"):
        parse(["digits", "--objective.weight", "0.1"])
    capsys.readouterr()
    with pytest.raises(UserError, match="holds other images"):
        pb.train("digits", out=tmp_path / "run", resume=True, max_steps=2, device="cpu")
    assert "keeps its seed" not in capsys.readouterr().err


def test_the_average_is_told_as_it_is(
    digits: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(digits, recipe(ema_decay=0.5), tmp_path, max_steps=1)
    told = capsys.readouterr().out
    assert "averaged with a decay of 0.5 a step" in told
    assert "of the run, float32" not in told
