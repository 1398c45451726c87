"""Before the first step: a refused run leaves nothing behind, and preparing does not eat the minutes."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from pixelbayes.cli import main
from pixelbayes.data import AugmentConfig, Dataset
from pixelbayes.distributions import Bernoulli
from pixelbayes.errors import UserError
from pixelbayes.fusion import FusionConfig
from pixelbayes.networks import CONFIGS
from pixelbayes.training import train
from pixelbayes.training.pacing import Clock
from pixelbayes.training.run import Run


@pytest.mark.parametrize(
    ("part", "wanted"),
    [
        ({"distribution": Bernoulli()}, "for 2 levels, not 17"),
        (
            {"fusion": FusionConfig("downsampling"), "network": CONFIGS["gated_pixelcnn"]()},
            "acts at 'shrink'",
        ),
    ],
)
def test_parts_that_do_not_go_together_leave_no_folder(
    part: dict, wanted: str, recipe, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for out in (None, tmp_path / "mine"):
        with pytest.raises(UserError, match=wanted):
            train(digits, replace(recipe, **part), out, device="cpu")
    assert not list(tmp_path.iterdir())


def test_a_run_lies_in_runs_whatever_the_data_are_called(
    recipe, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    train(replace(digits, name=str(tmp_path / "data" / "photos")), recipe, device="cpu", max_steps=1)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["photos-001"]
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_the_command_leaves_no_empty_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["train", "digits", "--recipe", "digits", "--distribution", "bernoulli", "--device", "cpu"]
    assert main(words) == 2
    assert not (tmp_path / "runs").exists()


def test_an_occupied_folder_is_refused_before_anything_is_built(
    recipe, digits: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "photo").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        train(digits, replace(recipe, distribution=Bernoulli()), tmp_path, device="cpu")


def test_the_clock_starts_at_the_first_step() -> None:
    clock = Clock(carried=2.0)
    clock.begun -= 100
    assert clock.elapsed == pytest.approx(102, abs=1)
    assert clock.begin() == pytest.approx(100, abs=1)
    assert clock.elapsed == pytest.approx(2, abs=1)


def test_a_short_budget_is_spent_on_steps_however_long_the_preparation(
    recipe, digits: Dataset, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measure = Run.measure

    def slowly(self: Run) -> float:
        time.sleep(2.5)
        return measure(self)

    monkeypatch.setattr(Run, "measure", slowly)
    model = train(digits, recipe, out, minutes=0.03, device="cpu")
    assert model.record.training.steps >= 2
    told = capsys.readouterr().out
    assert "prepared in " in told
    assert "the 0.03 minutes begin now" in told


def test_a_few_steps_of_a_slow_network_are_not_followed_by_hours_of_validation(
    recipe, digits: Dataset, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "measure", lambda self: 500.0)
    monkeypatch.setattr("pixelbayes.training.validation.FEWEST_IMAGES", 5)
    training = train(digits, recipe, out, max_steps=1, device="cpu").record.training
    assert int(training.validation_of.split()[0]) < len(digits.validation.labelled)


def test_a_crop_that_changes_nothing_is_told(
    recipe, digits: Dataset, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(digits, replace(recipe, augment=AugmentConfig(crop=0.01)), out, max_steps=1, device="cpu")
    assert "cuts less than a pixel, and changes nothing" in capsys.readouterr().err
