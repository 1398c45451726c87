"""The sections of a report, by name and in their order; parts from outside the package add theirs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ..errors import UserError, unknown
from .source import Source

Gather = Callable[[Source], Mapping[str, Any] | None]
"""What a section shows of a source, by the names in its template; None: there is nothing to show."""


@dataclass(frozen=True)
class Section:
    """A part of the page: `title` stands above it (empty: none), `template` is its inside, as Jinja2 text."""

    name: str
    title: str
    gather: Gather
    template: str


SECTIONS: list[Section] = []
"""Those of every report, from top to bottom."""

OWN = (
    "glance", "study", "comparisons", "figures", "rivals", "against", "samples", "generation", "curves", "confusion",
    "reliability", "mistakes", "evidence", "data", "model", "notes", "commands",
)  # fmt: skip
"""The names of the package's own sections, in their order."""


def register_section(
    name: str, title: str = "", template: str | None = None, after: str = "model"
) -> Callable[[Gather], Gather]:
    """Make a function of a `Source` a section of every report: it returns what the template shows, or None.

    The template is Jinja2 text, in which values are escaped and the filter `png` turns the bytes of a PNG into an
    image's address; without one, it is the file of that name in this package. `after` names the section that it
    follows. Raises `UserError` for a name that is taken, and for an unknown `after`.

    >>> @register_section("example", "An example", "<p>{{ folder }}</p>", after="commands")
    ... def example(source):
    ...     return {"folder": source.folder}
    >>> SECTIONS.pop().title
    'An example'
    """
    text = packaged(name) if template is None else template

    def register(gather: Gather) -> Gather:
        names = [section.name for section in SECTIONS]
        if name in names:
            raise UserError(f"there is a section '{name}' already")
        if name in OWN:
            position = sum(other in OWN[: OWN.index(name)] for other in names)
        elif after in names:
            position = names.index(after) + 1
        else:
            raise unknown("section", after, names)
        SECTIONS.insert(position, Section(name, title, gather, text))
        return gather

    return register


def packaged(name: str) -> str:
    """Returns a template of this package."""
    return (files(__package__) / "templates" / f"{name}.html").read_text(encoding="utf-8")
