import pytest
import safetensors.torch
import torch

from pixelbayes.errors import UserError
from pixelbayes.files import sweep, whole, write_tensors


def test_the_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "new" / "numbers.txt"
    with whole(path) as temporary:
        temporary.write_text("1 2 3")
        assert not path.exists()
        assert temporary.suffix == ".txt"
    assert path.read_text() == "1 2 3"
    assert [item.name for item in path.parent.iterdir()] == ["numbers.txt"]


def write_half(path):
    with whole(path) as temporary:
        temporary.write_text("ne")
        1 / 0  # noqa: B018


def test_a_failure_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "numbers.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError):
        write_half(path)
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["numbers.txt"]


def test_a_place_that_cannot_be_written_is_a_readable_error(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match=r"cannot write .*numbers\.txt"),
        whole(tmp_path / "file" / "numbers.txt"),
    ):
        pass


def test_no_half_written_tensors_are_found_under_their_suffix(tmp_path, monkeypatch):
    path = tmp_path / "1.safetensors"
    write_tensors(path, {"a": torch.zeros(1)})
    found = []

    def killed(tensors, temporary, metadata):
        found.extend(tmp_path.glob("*.safetensors"))
        raise OSError("killed")

    monkeypatch.setattr(safetensors.torch, "save_file", killed)
    with pytest.raises(UserError, match="killed"):
        write_tensors(path, {"a": torch.ones(1)})
    assert found == [path]
    assert safetensors.torch.load_file(path)["a"] == 0


def test_what_a_kill_left_is_swept_away(tmp_path):
    users = (".1.77.tmp", ".1.77.tmp.png", ".tmpAbC123", "1.safetensors", ".mine")
    for name in (".1.77.pixelbayes-tmp", ".1.77.pixelbayes-tmp.png", *users):
        (tmp_path / name).touch()
    room = tmp_path / ".1.77.pixelbayes-tmp.d"
    room.mkdir()
    (room / ".tmpAbC123").touch()
    sweep(tmp_path)
    assert sorted(item.name for item in tmp_path.iterdir()) == sorted(users)


def test_nothing_is_swept_through_a_link(tmp_path):
    left = tmp_path / "elsewhere" / ".1.77.pixelbayes-tmp"
    left.parent.mkdir()
    left.touch()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "link").symlink_to(left.parent)
    (tmp_path / "run" / ".2.77.pixelbayes-tmp.d").symlink_to(left.parent)
    sweep(tmp_path / "run")
    assert left.exists()
