"""A report: sections on what a run or a model holds, on one page that opens without a network."""

from . import (
    about,
    beside,
    evidence,
    judged,
    learned,
    repeat,
    study,
)  # they register the package's own sections
from .page import render, write_report
from .sections import SECTIONS, Section, register_section
from .source import Command, Comparison, Findings, Source
from .stored import Stored, evaluations_of, stored_in

__all__ = [
    "SECTIONS",
    "Command",
    "Comparison",
    "Findings",
    "Section",
    "Source",
    "Stored",
    "about",
    "beside",
    "evaluations_of",
    "evidence",
    "judged",
    "learned",
    "register_section",
    "render",
    "repeat",
    "stored_in",
    "study",
    "write_report",
]
