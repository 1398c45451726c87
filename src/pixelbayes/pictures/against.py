"""The model beside a dedicated classifier: a bar for each answer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from .style import BLUE, INK, MUTED, ORANGE, figure, save, tidy

SHARE = (".1%", ".3f")  # how shares are written; other rows are no bars


class Answers(Protocol):
    """One question, and what both say."""

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> float | None: ...
    @property
    def cnn(self) -> float | None: ...
    @property
    def form(self) -> str: ...
    @property
    def model_interval(self) -> tuple[float, float] | None: ...
    @property
    def cnn_interval(self) -> tuple[float, float] | None: ...


def against_picture(rows: Sequence[Answers], path: str | Path) -> None:
    """Draw the rows whose answers are shares: accuracy, F1 and the like, with their 95 % intervals."""
    listed = [row for row in rows if row.form in SHARE and "log loss" not in row.name][::-1]
    drawing = figure(8.2, 0.9 + 0.5 * len(listed))
    drawing.set_layout_engine("constrained")
    axes = drawing.add_subplot()
    tidy(axes, "The model beside a dedicated CNN")
    for position, row in enumerate(listed):
        answers = ((row.model, row.model_interval, 0.18, BLUE), (row.cnn, row.cnn_interval, -0.18, ORANGE))
        for value, interval, shift, colour in answers:
            if value is None:
                continue
            axes.barh(position + shift, value, 0.34, color=colour)
            if interval is not None:
                axes.plot(interval, [position + shift] * 2, color=INK, linewidth=1.2)
            far = max(value, interval[1] if interval else 0)
            axes.text(
                far + 0.012, position + shift, f"{value:{row.form}}", va="center", fontsize=8, color=INK
            )
    axes.set_yticks(range(len(listed)), [row.name for row in listed])
    axes.tick_params(axis="y", colors=INK, labelsize=8.5)
    axes.set_xlim(0, 1.12)
    axes.grid(False, axis="y")
    axes.text(1, 1.01, "model", color=BLUE, transform=axes.transAxes, ha="right", va="bottom", fontsize=9)
    axes.text(0.9, 1.01, "CNN", color=ORANGE, transform=axes.transAxes, ha="right", va="bottom", fontsize=9)
    axes.set_xlabel("share; lines are 95 % intervals", color=MUTED, fontsize=8.5)
    save(drawing, path)
