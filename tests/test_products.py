"""Only what a command wrote itself is replaced or deleted."""

from pathlib import Path

import pytest

from pixelbayes.errors import UserError
from pixelbayes.products import Products


def write(folder: Path, **files: str) -> Products:
    products = Products(folder, "images")
    for name, text in files.items():
        with products.new(f"a/{name}.png") as temporary:
            temporary.write_text(text)
    products.finish()
    return products


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))


def test_what_is_not_written_again_goes(tmp_path: Path) -> None:
    write(tmp_path, one="1", two="2")
    write(tmp_path, two="3")
    assert files(tmp_path) == ["a/two.png"]
    write(tmp_path)
    assert not (tmp_path / "a").exists()


def test_a_file_of_the_users_stays_under_a_products_name(tmp_path: Path) -> None:
    write(tmp_path, one="1", two="2")
    (tmp_path / "a" / "one.png").write_text("a photograph")
    (tmp_path / "a" / "three.png").write_text("another")
    write(tmp_path, two="3")
    assert files(tmp_path) == ["a/one.png", "a/three.png", "a/two.png"]
    with pytest.raises(UserError, match=r"not written by such a command.*a/one\.png"):
        Products(tmp_path, "images").refuse_foreign(["a/one.png", "a/two.png"])


def test_a_folder_of_an_earlier_version_has_no_list_and_what_to_do_is_said(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(
        UserError, match=r"metrics\.json.*no list.*earlier versions.*another --out, or delete them"
    ):
        Products(tmp_path, "evaluation").refuse_foreign(["metrics.json"])
    assert (tmp_path / "metrics.json").exists()


def test_nothing_goes_through_a_link(tmp_path: Path) -> None:
    write(tmp_path / "out", one="1")
    (tmp_path / "out" / "a").rename(tmp_path / "elsewhere")
    (tmp_path / "out" / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="a is a link"):
        Products(tmp_path / "out", "images").refuse_foreign(["a/one.png"])
    write(tmp_path / "out")
    assert files(tmp_path / "elsewhere") == ["one.png"]
    (tmp_path / "out" / ".pixelbayes-images").unlink()
    (tmp_path / "out" / ".pixelbayes-images").symlink_to(tmp_path / "elsewhere" / "one.png")
    with pytest.raises(UserError, match="pixelbayes-images is a link"):
        Products(tmp_path / "out", "images").refuse_foreign([])


def test_a_list_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine.png").write_text("1")
    out = tmp_path / "out"
    out.mkdir()
    names = ("../mine.png", str(tmp_path / "mine.png"))
    lines = "".join(f'{{"path": "{name}", "sha256": null}}\n' for name in names)
    (out / ".pixelbayes-images").write_text(lines + "[1]\n{}\nno json\n" + "[" * 100_000)
    write(out)
    assert files(tmp_path) == ["mine.png"]


def test_products_of_a_command_that_was_killed_are_known(tmp_path: Path) -> None:
    products = Products(tmp_path, "images")
    with products.new("a/one.png") as temporary:
        temporary.write_text("1")
    again = Products(tmp_path, "images")
    again.refuse_foreign(["a/one.png"])
    again.finish()
    assert files(tmp_path) == []


def test_a_file_where_a_folder_is_needed_is_the_users(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    with pytest.raises(UserError, match=r"\(a\)"):
        Products(tmp_path, "images").refuse_foreign(["a/one.png"])
