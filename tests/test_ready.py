"""Models by name: the package's come before a checkout's, and a name stands wherever a folder does."""

from pathlib import Path

import pytest
import torch

import pixelbayes as pb
from pixelbayes import ready
from pixelbayes.cli import main


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    folders = tmp_path / "package", tmp_path / "checkout"
    for number, folder in enumerate(folders):
        torch.manual_seed(number)
        pb.save(pb.create("digits", filters=4), folder / "both")
    pb.save(pb.create("digits", filters=4), folders[1] / "second")
    monkeypatch.setattr(ready, "ready_folders", lambda: list(folders))
    return folders


def test_the_package_comes_before_the_checkout(places: tuple[Path, Path]) -> None:
    assert ready.ready_models() == {"both": places[0] / "both", "second": places[1] / "second"}
    mine, packaged = pb.load("both").state_dict(), pb.load(places[0] / "both").state_dict()
    assert all(torch.equal(mine[name], packaged[name]) for name in packaged)


def test_ready_models_are_listed_and_a_wrong_name_names_the_nearest(
    places: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", "models"]) == 0
    assert "second" in capsys.readouterr().out
    with pytest.raises(pb.UserError, match="did you mean 'second'"):
        pb.load("secnd")


def test_a_folder_of_that_name_comes_first(
    places: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pb.save(pb.create("digits", filters=8), "both")
    assert pb.load("both").config.network.filters == 8
