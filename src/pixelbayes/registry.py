"""Named parts: how a configuration's name finds its class, in the package and outside it."""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from .errors import UserError, unknown
from .plain import from_plain, to_plain

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """Parts of one kind by name. Looking up an unknown name is a `UserError` with the nearest one.

    >>> parts = Registry("part")
    >>> parts.register("one")(int) is parts["one"]
    True
    """

    def __init__(self, kind: str, parts: Mapping[str, T] | None = None):
        self.kind = kind
        self._parts = dict(parts or {})
        self._origins: dict[str, str] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that adds a part under `name`; a name that is taken by another part is refused."""

        def add(part: T) -> T:
            taken = self._parts.get(name)
            if taken is not None and repr(taken) != repr(part):
                raise UserError(f"the {self.kind} '{name}' exists already")
            self._parts[name] = part
            self._origins[name] = _module_of(sys._getframe(1).f_globals)
            return part

        return add

    def name_of(self, part: object) -> str:
        """The name under which `part` (or its class) is known."""
        for name, known in self._parts.items():
            if known is part or known is type(part):
                return name
        raise UserError(
            f"the {self.kind} {type(part).__name__} is not registered under a name: it can be used, but not saved"
        )

    def called(self, part: object) -> str:
        """The registered name of `part`, or that of its class."""
        names = (name for name, known in self._parts.items() if known is part or known is type(part))
        return next(names, type(part).__name__)

    def origins(self, name: str) -> list[str]:
        """The module outside this one that registered `name`, if any."""
        return [self._origins[name]] if name in self._origins else []

    def to_table(self, config: object) -> dict[str, Any]:
        """A configuration (a dataclass) as a table: the name that it is registered under, and its fields.

        >>> from dataclasses import make_dataclass
        >>> kind = make_dataclass("Wide", [("width", int)], frozen=True)
        >>> parts = Registry("part", {"wide": kind})
        >>> parts.to_table(kind(3)), parts.from_table({"name": "wide", "width": 3}, "here") == kind(3)
        ({'name': 'wide', 'width': 3}, True)
        """
        return {"name": self.name_of(config), **to_plain(config)}

    def from_table(self, table: Any, where: str) -> Any:
        """The inverse of `to_table`; `where` names the place for the user. Raises UserError for what is none."""
        if not isinstance(table, Mapping):
            raise UserError(f"{where} must be a table of fields, not {table!r}")
        given = dict(table)
        name = given.pop("name", None)
        if name is None:
            raise UserError(f"{where}: the field 'name' is missing (one of: {', '.join(self)})")
        if not isinstance(name, str):
            raise UserError(f"{where}: the field 'name' must be a text, not {name!r}")
        try:
            kind: Any = self[name]
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
        return from_plain(kind, given, where)

    def __getitem__(self, name: str) -> T:
        if name not in self._parts:
            raise unknown(self.kind, name, self._parts)
        return self._parts[name]

    def __contains__(self, name: object) -> bool:
        return name in self._parts

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)


def _module_of(names: Mapping[str, Any]) -> str:
    """The name under which the module with these globals can be imported; a script's is that of its file."""
    module = str(names.get("__name__", ""))
    return Path(names["__file__"]).stem if module == "__main__" and "__file__" in names else module
