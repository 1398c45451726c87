"""What a study found."""

from collections.abc import Mapping
from typing import Any

from .sections import register_section
from .source import Source


@register_section("study", "What was compared")
def study(source: Source) -> Mapping[str, Any] | None:
    """The table of variants over seeds, and its plots."""
    result = source.study
    if result is None:
        return None
    return {
        "summary": result.summary,
        "heads": result.heads,
        "rows": result.rows,
        "notes": result.notes,
        "pictures": result.pictures,
    }
