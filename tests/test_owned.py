from pathlib import Path

import pytest

from pixelbayes.errors import UserError
from pixelbayes.owned import listed, owned_files, refuse_others_files


def write(folder: Path, *names: str) -> None:
    refuse_others_files(folder, ".mark", names)
    with owned_files(folder, ".mark", names):
        for name in names:
            (folder / name).write_text("new")


def test_own_files_are_replaced_and_removed_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    write(tmp_path, "a", "b")
    write(tmp_path, "b", "c")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mark", "b", "c", "mine.txt"]
    assert listed(tmp_path / ".mark") == {"b", "c"}


def test_a_file_of_somebody_else_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")
    with pytest.raises(UserError, match="b was not written by this command"):
        write(tmp_path, "a", "b")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_what_was_begun_is_known_as_own(tmp_path: Path) -> None:
    with owned_files(tmp_path, ".mark", ["a"]):
        assert listed(tmp_path / ".mark") == {"a"}  # before the file is there: a kill may come at any time
        (tmp_path / "a").write_text("half")
    write(tmp_path, "a")
    assert (tmp_path / "a").read_text() == "new"


def test_a_list_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    place = tmp_path / "in"
    place.mkdir()
    (place / ".mark").write_text("../kept\n")
    write(place, "a")
    assert (tmp_path / "kept").exists()
