"""What a study found."""

from collections.abc import Mapping
from typing import Any

from .sections import register_section
from .source import Source


@register_section("study", "What was compared")
def study(source: Source) -> Mapping[str, Any] | None:
    """The table of variants over seeds, and its plots."""
    found = source.study
    if found is None:
        return None
    return {
        "summary": found.summary,
        "heads": found.heads,
        "rows": found.rows,
        "notes": found.notes,
        "pictures": found.pictures,
    }
