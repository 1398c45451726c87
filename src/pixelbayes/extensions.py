"""Networks, distributions and label strategies of other people: a module, loaded only when asked for by name."""

import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from .errors import UserError


def import_extensions(names: Iterable[str]) -> tuple[str, ...]:
    """Import modules (one may be given as text), which register their own parts; the working folder is searched too.

    Raises UserError, naming the module, when there is none or it fails.
    """
    modules = (names,) if isinstance(names, str) else tuple(names)
    here = str(Path.cwd())
    if modules and here not in sys.path:
        sys.path.append(here)
    for name in modules:
        try:
            import_module(name)
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"--import {name}: {type(error).__name__}: {error}") from error
    return modules


def extension_hint(config: Any) -> str:
    """Which modules, that are not loaded, the parts of a model come from; `config` is what its config.json holds.

    >>> extension_hint({"imports": ["my_network"]})
    '; it comes from my_network: load it with --import my_network'
    """
    imports = config.get("imports") if isinstance(config, dict) else None
    names = [name for name in imports if isinstance(name, str)] if isinstance(imports, list) else []
    modules = [name for name in names if name not in sys.modules]
    options = " ".join(f"--import {name}" for name in modules)
    return f"; it comes from {', '.join(modules)}: load it with {options}" if modules else ""
