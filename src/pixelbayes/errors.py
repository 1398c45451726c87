"""Errors that speak to the user: what was wrong, where, and what is accepted."""

import os
import unicodedata
from collections.abc import Iterable, Sequence
from math import inf
from numbers import Integral, Real
from os import PathLike
from pathlib import PurePath

from .names import nearest


class UserError(Exception):
    """A mistake that the user can mend; its text is one readable line.

    The command line prints it and exits with code 2, without a traceback.
    """


class UnknownNameError(UserError):
    """A name that is not among `choices`."""

    def __init__(self, text: str, name: str, choices: list[str]) -> None:
        super().__init__(text)
        self.name, self.choices = name, choices


def unknown(kind: str, name: object, choices: Iterable[str]) -> UserError:
    """The error for a name that is not among `choices`, with the nearest one.

    >>> print(unknown("recipe", "digts", ["digits", "mnist"]))
    unknown recipe 'digts': did you mean 'digits'? (known: digits, mnist)
    """
    known = list(choices)
    near = nearest(name, known)
    hint = f": did you mean '{near}'?" if near else ""
    text = f"unknown {kind} '{name}'{hint} (known: {', '.join(known) or 'none'})"
    return UnknownNameError(text, str(name), known)


def some_of(names: Sequence[str], most: int) -> str:
    """The first of many names, and how many more there are.

    >>> some_of(["a.png", "b.png", "c.png"], most=2)
    'a.png, b.png and 1 more'
    """
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


MOST_BYTES = 255  # of the name of a file or folder, on nearly all systems


def printable(text: str) -> str:
    """A text that a terminal shows and does not obey: control characters and what is no Unicode are spelled out.

    >>> print(printable("caf\\x1b[31m\\udce9"))
    caf\\x1b[31m\\udce9
    """
    allowed = "\n\t"
    return "".join(
        letter
        if letter in allowed or unicodedata.category(letter) not in ("Cc", "Cs")
        else ascii(letter)[1:-1]
        for letter in text
    )


def check_name(path: "str | PathLike[str]") -> None:
    """Raise UserError for a path that no file can have: one with NUL, or a part of more than 255 bytes.

    >>> check_name("runs/demo")
    """
    for part in PurePath(path).parts:
        try:
            size = len(os.fsencode(part))
        except UnicodeEncodeError:
            raise UserError(
                f"{printable(str(path))} is no file name: it has characters that are no Unicode"
            ) from None
        if "\0" in part:
            raise UserError(f"{printable(str(path))} is no file name: it has a NUL character")
        if size > MOST_BYTES:
            raise UserError(f"the name {part[:40]}... has {size} bytes: a file name has {MOST_BYTES} at most")


def check_path(name: str, value: object) -> None:
    """Raise UserError for what names no file or folder.

    >>> check_path("the model", "runs/demo")
    """
    if not isinstance(value, str | PathLike):
        raise UserError(f"{name} is named by a path, as text or a Path, not by {value!r}")
    check_name(value)


def check_given(name: str, value: object) -> None:
    """Raise UserError for None where a value is needed.

    >>> check_given("the seed", 0)
    """
    if value is None:
        raise UserError(f"{name} needs a value, not None")


def check_whole(name: str, value: object, least: int) -> None:
    """Raise UserError for what is no whole number from `least` on; None passes.

    >>> check_whole("the seed", 3, least=0)
    """
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise UserError(f"{name} must be a whole number, not {value!r}")
    if value < least:
        raise UserError(f"{name} must be {least} or more, not {value}")


def check_above_zero(name: str, value: object) -> None:
    """Raise UserError for what is no finite number above 0; None passes.

    >>> check_above_zero("the minutes", 0.5)
    """
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, Real):
        raise UserError(f"{name} must be a number, not {value!r}")
    if not 0 < float(value) < inf:
        raise UserError(f"{name} must be above 0, not {value}")
