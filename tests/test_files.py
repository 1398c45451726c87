import pytest

from pixelbayes.errors import UserError
from pixelbayes.files import whole


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
