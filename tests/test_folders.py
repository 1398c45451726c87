from pathlib import Path

import pytest

from pixelbayes.errors import UserError
from pixelbayes.folders import claim_folder, next_run, refuse_occupied, reserved


def test_runs_are_counted_up(tmp_path: Path) -> None:
    assert next_run("photos", tmp_path).name == "photos-001"
    (tmp_path / "photos-001").mkdir()
    (tmp_path / "photos-002").write_text("")
    assert next_run("photos", tmp_path).name == "photos-003"


def test_a_folder_that_is_new_or_empty_is_taken(tmp_path: Path) -> None:
    assert claim_folder(tmp_path / "a" / "b").is_dir()
    assert claim_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"


def test_an_occupied_folder_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "photo").write_text("mine")
    with pytest.raises(UserError, match="is not empty; choose another --out, or add --overwrite"):
        claim_folder(tmp_path)
    for allowed in ({"overwrite": True}, {"resume": True}):
        assert claim_folder(tmp_path, **allowed) == tmp_path
    assert (tmp_path / "photo").read_text() == "mine"


@pytest.mark.parametrize("state", ["state", "fold-1/state"])
def test_only_where_a_run_lies_is_resuming_offered(tmp_path: Path, state: str) -> None:
    (tmp_path / "photo").write_text("mine")
    with pytest.raises(UserError, match=r"--overwrite$"):
        claim_folder(tmp_path)
    (tmp_path / state).mkdir(parents=True)
    with pytest.raises(UserError, match="--resume, to continue the run in it"):
        claim_folder(tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "photo").write_text("mine")
    with pytest.raises(UserError, match="is a file"):
        claim_folder(tmp_path / "photo", overwrite=True)
    with pytest.raises(UserError, match="photo is a file, not a folder"):
        claim_folder(tmp_path / "photo" / "below")


def test_asking_makes_nothing(tmp_path: Path) -> None:
    refuse_occupied(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_two_that_begin_at_once_get_folders_of_their_own(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    with reserved("photos", root) as first, reserved("photos", root) as second:
        assert (first.name, second.name) == ("photos-001", "photos-002")
        (second / "model").touch()
    assert [folder.name for folder in root.iterdir()] == ["photos-002"]


def test_a_reserved_folder_that_stays_empty_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), reserved("photos", tmp_path / "runs"):
        1 / 0  # noqa: B018
    assert not (tmp_path / "runs").exists()
