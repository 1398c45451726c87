"""Sections -> one HTML page, with its pictures and its style inside."""

from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, StrictUndefined, TemplateError

from .. import __version__
from ..errors import UserError
from ..files import whole
from .sections import SECTIONS, Section, packaged
from .source import Source


def write_report(source: Source, path: str | Path, sections: Sequence[Section] | None = None) -> None:
    """Write the report as one HTML file, whole or not at all."""
    text = render(source, sections)
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace")


def render(source: Source, sections: Sequence[Section] | None = None) -> str:
    """Returns the page of those sections (all that are registered) that have something to show of the source.

    Raises `UserError` for a template that does not fit what its section gathers.
    """
    environment = _environment()
    filled = []
    for section in SECTIONS if sections is None else sections:
        context = section.gather(source)
        if context is None:
            continue
        try:
            inside = environment.from_string(section.template).render(context)
        except TemplateError as error:
            raise UserError(f"the report's section '{section.name}': {error}") from error
        filled.append({"name": section.name, "title": section.title, "inside": inside})
    page = environment.from_string(packaged("page"))
    return page.render(title=source.title, lead=source.lead, sections=filled, version=__version__)


def png_address(png: bytes) -> str:
    """Returns the address of an image that is inside the page."""
    return f"data:image/png;base64,{b64encode(png).decode('ascii')}"


def _environment() -> Environment:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["png"] = png_address
    environment.filters["share"] = lambda value: f"{value:.1%}"
    return environment
