"""Errors that speak to the user: what was wrong, where, and what is accepted."""

from collections.abc import Iterable
from difflib import get_close_matches


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
    return UserError(f"unknown {kind} '{name}'{hint} (known: {', '.join(known)})")
