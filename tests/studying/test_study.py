"""A study of the digits, a few steps a trial: killed, continued, shared by two processes."""

import csv
import os
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.training.run_small import child

import pixelbayes as pb
from pixelbayes.api import open_data
from pixelbayes.cli import main
from pixelbayes.studying import Trial, load_study
from pixelbayes.studying.costs import minutes_of

TOML = """
summary = "filters"
data = "digits"
recipe = "digits"
seeds = [0, 1]
max_steps = 2
[set]
"training.batch" = 16
"training.sample_every" = 0
"training.validation_pairs" = 200
"training.checkpoint_seconds" = 0.1
[grid]
"network.filters" = [2, 3]
"""


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(TOML)
    return path


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "study.csv").open() as file:
        return list(csv.DictReader(file))


def begin(definition: Path, out: Path, told: Path) -> BaseProcess:
    """The study in a forked process, which need not import anything again."""
    return child(pb.study, told, str(definition), out=out, device="cpu")


def test_a_study_is_planned_run_extended_and_shown(
    definition: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["study", str(definition), "--out", str(out), "--device", "cpu", "--seeds", "0"]
    assert main([*words, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "2 variants x 1 seeds: 2 trials" in told
    assert "minutes on this device" in told
    assert "standard error" in told
    assert not out.exists()
    assert main(words) == 0
    assert [(row["variant"], row["seed"], row["steps"]) for row in rows(out)] == [
        ("filters=2", "0", "2"),
        ("filters=3", "0", "2"),
    ]
    before = (out / "study.csv").read_text()
    capsys.readouterr()
    assert main(words) == 0  # nothing is left to do
    assert "(2 are done)" in capsys.readouterr().out
    assert (out / "study.csv").read_text() == before
    (out / "study.png").unlink()
    assert main(["study", str(out), "--show"]) == 0
    assert (out / "study.png").exists()
    assert main([*words, "--max-steps", "3"]) == 2
    assert "other settings or data" in capsys.readouterr().err
    model = pb.load(out / "trials" / rows(out)[0]["trial"])
    assert float(rows(out)[0]["bits_per_dim"]) == pytest.approx(
        pb.evaluate(model).bits_per_dim or 0, rel=1e-6
    )


def test_killed_in_mid_trial_and_started_twice_each_trial_is_there_once(
    definition: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    definition.write_text(TOML.replace("max_steps = 2", "max_steps = 12").replace("[0, 1]", "[0]"))
    first = begin(definition, out, tmp_path / "first")
    # A state on the disk: the first trial is under way.
    while not list(out.glob("trials/*/state/*.safetensors")):
        assert first.is_alive(), (tmp_path / "first").read_text()
        time.sleep(0.02)
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    first.join()
    both = [begin(definition, out, tmp_path / name) for name in ("second", "third")]
    for each in both:
        each.join()
    assert [each.exitcode for each in both] == [0, 0], (tmp_path / "second").read_text()
    found = rows(out)
    assert len(found) == len({row["trial"] for row in found}) == 2
    assert {row["steps"] for row in found} == {"12"}
    import optuna

    ends = optuna.load_study(study_name="mine", storage=f"sqlite:///{out / 'study.db'}").trials
    done = [trial.user_attrs["name"] for trial in ends if trial.state == optuna.trial.TrialState.COMPLETE]
    assert sorted(done) == sorted(row["trial"] for row in found)
    assert not [trial for trial in ends if trial.state == optuna.trial.TrialState.RUNNING]


def test_settings_that_do_not_go_together_are_found_before_the_first_trial(
    definition: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = (
        '[[variants]]\nname = "b"\nset = {"network.name" = "pixelcnn", "fusion.strategy" = "downsampling"}\n'
    )
    definition.write_text(f'{TOML}[[variants]]\nname = "a"\n{own}'.replace("max_steps = 2", "minutes = 2"))
    out = tmp_path / "out"
    assert main(["study", str(definition), "--out", str(out), "--device", "cpu"]) == 2
    assert "pixelcnn does not have" in capsys.readouterr().err
    assert not list(out.glob("trials/*"))


def test_so_many_images_judge_each_trial_and_the_cost_counts_them(
    definition: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    definition.write_text(TOML.replace("[2, 3]", "[2]"))
    words = ["study", str(definition), "--out", str(out), "--device", "cpu", "--seeds", "0", "--images", "40"]
    assert main(words) == 0
    assert "40 images judge each" in capsys.readouterr().out
    assert [row["images"] for row in rows(out)] == ["40"]
    assert main([*words[:-1], "30"]) == 2  # another question: its figures would not be comparable
    assert "other settings or data" in capsys.readouterr().err
    assert main([*words[:-1], "0"]) == 2
    assert "--images" in capsys.readouterr().err


@pytest.mark.parametrize("strategy", ["mild", "none"])
def test_judging_by_all_classes_is_a_part_of_the_cost(strategy: str, definition: Path) -> None:
    definition.write_text(TOML + f'"fusion.strategy" = ["{strategy}"]\n')
    trials = [*load_study(definition, minutes=1.0).trials[:1]]
    digits, device = open_data("digits", None, trials[0].recipe), torch.device("cpu")
    (without,), (some,), (twice,) = (
        minutes_of(trials, digits, device, judged) for judged in (0, 10_000, 200_000)
    )
    assert without == 1.0
    assert 1.0 < some < twice


def test_a_trial_that_fails_is_said_and_the_others_are_done(
    definition: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pixelbayes.studying import running

    def figures(worker: object, trial: Trial) -> dict[str, object]:
        if "filters=2" in trial.name:
            raise pb.UserError("it diverged")
        return {"bits_per_dim": 1.0, "accuracy": None, "images": 3}

    monkeypatch.setattr(running._Worker, "figures", figures)
    out = tmp_path / "out"
    assert main(["study", str(definition), "--out", str(out), "--device", "cpu"]) == 2
    shown = " ".join(capsys.readouterr().err.split())
    assert "2 trials could not be done, such as filters=2.seed0: it diverged" in shown
    assert [row["variant"] for row in rows(out)] == ["filters=3", "filters=3"]


def test_a_trial_that_was_begun_otherwise_begins_anew(
    definition: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pixelbayes.studying import running

    went_on = []

    def figures(worker: running._Worker, trial: Trial) -> dict[str, object]:
        state = worker.folder / "trials" / trial.name / running.STATE
        went_on.append(state.is_dir())
        if len(went_on) < 3:
            state.mkdir(parents=True, exist_ok=True)
            raise pb.UserError("interrupted")
        return {"bits_per_dim": 1.0, "accuracy": None, "images": 3}

    monkeypatch.setattr(running._Worker, "figures", figures)
    words = [str(definition), "--out", str(tmp_path / "out"), "--device", "cpu", "--seeds", "0"]
    definition.write_text(TOML.replace("[2, 3]", "[2]"))
    assert main(["study", *words]) == 2
    assert main(["study", *words]) == 2
    definition.write_text(TOML.replace("[2, 3]", "[2]").replace('batch" = 16', 'batch" = 8'))
    assert main(["study", *words]) == 0
    assert went_on == [False, True, False]
    assert "was begun with other settings or data, and begins anew" in " ".join(
        capsys.readouterr().err.split()
    )


def test_trials_of_other_images_do_not_stand_in_one_table(
    definition: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pixelbayes.studying import running

    monkeypatch.setattr(
        running._Worker, "figures", lambda *_: {"bits_per_dim": 1.0, "accuracy": None, "images": 3}
    )
    pictures = np.random.default_rng(0).integers(0, 17, (40, 8, 8), dtype=np.uint8)
    for count in (30, 40):
        np.savez(tmp_path / "data.npz", images=pictures[:count], labels=np.arange(count) % 2)
        words = [str(definition), "--data", str(tmp_path / "data.npz"), "--out", str(tmp_path / "out")]
        assert main(["study", *words, "--device", "cpu", "--seeds", "0"]) == (0 if count == 30 else 2)
    assert "was made with other settings or data" in " ".join(capsys.readouterr().err.split())
    definition.write_text(TOML + '[[variants]]\nset = { "data.validation_share" = 0.0 }\n')
    assert main(["study", *words, "--device", "cpu", "--seeds", "0"]) == 2
    assert "has no validation images" in " ".join(capsys.readouterr().err.split())


def test_a_seed_is_no_setting_of_a_variant(definition: Path) -> None:
    for table in ("[set]\n", "[grid]\n"):
        definition.write_text(TOML.replace(table, f"{table}seed = [1, 2]\n"))
        with pytest.raises(pb.UserError, match=r"write seeds = \[\.\.\.\] at the top"):
            load_study(str(definition))


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["no-such"], "unknown study 'no-such'"),
        (["report1-small"], "name them (--data)"),
        (["report1-small", "--seeds", "a"], "whole numbers with commas"),
        (["report1-small", "--minutes", "0"], "--minutes must be above 0"),
        (["no/such/folder", "--show"], "study.csv cannot be read"),
    ],
)
def test_a_mistake_is_a_line(words: list[str], wanted: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", *words]) == 2
    assert wanted in " ".join(capsys.readouterr().err.split())
