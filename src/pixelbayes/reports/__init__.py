"""A report: sections on what a run or a model holds, on one page that opens without a network."""

from . import about, judged, learned, repeat  # they register the package's own sections
from .page import render, write_report
from .sections import SECTIONS, Section, register_section
from .source import Command, Comparison, Source

__all__ = [
    "SECTIONS",
    "Command",
    "Comparison",
    "Section",
    "Source",
    "about",
    "judged",
    "learned",
    "register_section",
    "render",
    "repeat",
    "write_report",
]
