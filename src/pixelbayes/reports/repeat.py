"""What is missing in a report, and the commands to repeat what it shows."""

from collections.abc import Mapping
from typing import Any

from .sections import register_section
from .source import Source


@register_section("notes", "What is not on this page")
def notes(source: Source) -> Mapping[str, Any] | None:
    """Why some sections are absent."""
    return {"notes": source.notes} if source.notes else None


@register_section("commands", "To repeat it, and to go on")
def commands(source: Source) -> Mapping[str, Any] | None:
    """Commands with this model."""
    return {"commands": source.commands} if source.commands else None
