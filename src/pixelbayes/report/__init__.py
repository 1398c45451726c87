"""A report on one page, which opens without a network."""

from .page import Command, Comparison, Mistake, Picture, Report, write_report

__all__ = ["Command", "Comparison", "Mistake", "Picture", "Report", "write_report"]
