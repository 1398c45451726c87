"""Plain data <-> dataclasses: nothing unknown, nothing of another type."""

from dataclasses import dataclass
from typing import Literal

import pytest

from pixelbayes.errors import UserError
from pixelbayes.plain import convert, from_plain, spell, to_plain


@dataclass(frozen=True)
class Inner:
    count: int = 1


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner = Inner()
    size: int | tuple[int, int] | None = None
    words: tuple[str, ...] = ()
    rate: float = 0.5
    mode: Literal["slow", "fast"] = "slow"
    flag: bool = False


def test_there_and_back() -> None:
    value = Outer("a", Inner(3), (2, 4), ("x", "y"), 1.0, "fast", True)
    assert from_plain(Outer, to_plain(value), "here") == value


def test_none_is_left_out() -> None:
    assert "size" not in to_plain(Outer("a"))


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        ({}, "here: the field 'name' is missing"),
        ({"name": "a", "sise": 3}, "did you mean 'size'"),
        ({"name": 3}, "here name must be a text, not 3"),
        ({"name": "a", "size": "3"}, "a whole number or a list of 2"),
        ({"name": "a", "size": [1, 2, 3]}, "a list of 2"),
        ({"name": "a", "size": True}, "not True"),
        ({"name": "a", "mode": "fats"}, "did you mean 'fast'"),
        ({"name": "a", "flag": 1}, "true or false, not 1"),
        ({"name": "a", "inner": {"count": 1.5}}, "here inner count must be a whole number, not 1.5"),
        ({"name": "a", "inner": 3}, "must be Inner"),
        ({"name": "a", "words": "x"}, "must be a list"),
    ],
)
def test_what_does_not_fit_is_refused(data: dict[str, object], wanted: str) -> None:
    with pytest.raises(UserError) as caught:
        from_plain(Outer, data, "here")
    assert wanted in str(caught.value)


def test_a_whole_number_serves_as_a_float_and_stays_one() -> None:
    assert isinstance(convert(float, 3, "x"), float)


def test_types_in_the_users_words() -> None:
    assert spell(Literal["a", "b"]) == "one of a, b"
    assert spell(tuple[str, ...]) == "a list of (a text)"
