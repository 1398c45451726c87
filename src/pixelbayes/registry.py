"""Named parts: how a configuration's name finds its class, in the package and outside it."""

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from .errors import UserError, unknown

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
            self._origins[name] = sys._getframe(1).f_globals.get("__name__", "")
            return part

        return add

    def name_of(self, part: object) -> str:
        """The name under which `part` (or its class) is known."""
        for name, known in self._parts.items():
            if known is part or known is type(part):
                return name
        raise UserError(f"this {self.kind} has no name: register it first ({type(part).__name__})")

    def origins(self, name: str) -> list[str]:
        """The module outside this one that registered `name`, if any."""
        return [self._origins[name]] if name in self._origins else []

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
