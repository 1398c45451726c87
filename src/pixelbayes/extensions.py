"""Networks, distributions and label strategies of other people: a module, loaded only when asked for by name."""

import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from .errors import UserError


def import_extensions(names: Iterable[str]) -> tuple[str, ...]:
    """Import modules, which register their own parts; the working folder is searched too.

    Raises UserError, naming the module, when there is none or it fails.
    """
    wanted = tuple(names)
    here = str(Path.cwd())
    if wanted and here not in sys.path:
        sys.path.append(here)
    for name in wanted:
        try:
            import_module(name)
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"--import {name}: {type(error).__name__}: {error}") from error
    return wanted
