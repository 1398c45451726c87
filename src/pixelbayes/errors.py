"""Errors that speak to the user: what was wrong, where, and what is accepted."""

from collections.abc import Iterable
from difflib import get_close_matches
from math import inf
from numbers import Integral, Real
from os import PathLike


class UserError(Exception):
    """A mistake that the user can mend; its text is one readable line.

    The command line prints it and exits with code 2, without a traceback.
    """


def unknown(kind: str, name: object, choices: Iterable[str]) -> UserError:
    """The error for a name that is not among `choices`, with the nearest one.

    >>> print(unknown("recipe", "digts", ["digits", "mnist"]))
    unknown recipe 'digts': did you mean 'digits'? (known: digits, mnist)
    """
    known = list(choices)
    near = get_close_matches(str(name), known, n=1, cutoff=0.5)
    hint = f": did you mean '{near[0]}'?" if near else ""
    return UserError(f"unknown {kind} '{name}'{hint} (known: {', '.join(known) or 'none'})")


def check_path(name: str, value: object) -> None:
    """Raise UserError for what names no file or folder.

    >>> check_path("the model", "runs/demo")
    """
    if not isinstance(value, str | PathLike):
        raise UserError(f"{name} is named by a path, as text or a Path, not by {value!r}")


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
