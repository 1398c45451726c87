"""A reliability diagram: is the model right as often as it says?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from matplotlib.axes import Axes

from .style import BLUE, GREY, INK, MUTED, ORANGE, figure, save, tidy


class Bin(Protocol):
    """Answers of like probability (low, high]: how many, how sure on average, and how often right."""

    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def images(self) -> int: ...
    @property
    def confidence(self) -> float: ...
    @property
    def accuracy(self) -> float: ...


def reliability_diagram(
    before: Sequence[Bin],
    after: Sequence[Bin],
    path: str | Path,
    titles: tuple[str, str] = ("before", "after"),
) -> None:
    """Draw accuracy against probability before and after calibration, side by side, with the images of each bin below.

    `titles` stand above the two. A bar that ends at the diagonal is a bin that is right as often as it says.
    """
    drawing = figure(8.6, 5.0)
    drawing.set_layout_engine("constrained")
    grid = drawing.add_gridspec(2, 2, height_ratios=(4, 1))
    most = max((each.images for each in (*before, *after)), default=1)
    for column, (bins, title, colour) in enumerate(((before, titles[0], ORANGE), (after, titles[1], BLUE))):
        top, bottom = drawing.add_subplot(grid[0, column]), drawing.add_subplot(grid[1, column])
        _accuracies(top, bins, title, colour)
        _counts(bottom, bins, most)
        if column == 0:
            top.set_ylabel("share that is right", color=MUTED, fontsize=9.5)
            bottom.set_ylabel("images", color=MUTED, fontsize=9.5)
    save(drawing, path)


def _accuracies(axes: Axes, bins: Sequence[Bin], title: str, colour: str) -> None:
    tidy(axes, title)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1.2, linestyle="--", zorder=1)
    for each in bins:
        width = each.high - each.low
        axes.bar(each.low, each.accuracy, width * 0.94, align="edge", color=colour, alpha=0.55, zorder=2)
        # From how sure it is to how often it is right: the bin's part of the calibration error.
        axes.plot([each.confidence] * 2, [each.confidence, each.accuracy], color=INK, linewidth=1.2, zorder=3)
        axes.plot([each.confidence], [each.accuracy], "o", color=INK, markersize=3.2, zorder=3)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xticklabels([])


def _counts(axes: Axes, bins: Sequence[Bin], most: int) -> None:
    tidy(axes, "")
    for each in bins:
        axes.bar(each.low, each.images, (each.high - each.low) * 0.94, align="edge", color=GREY)
    axes.set_xlim(0, 1)
    axes.set_yscale("log")  # most answers are sure, and the others matter
    axes.set_ylim(0.7, most * 1.5)
    axes.set_xlabel("probability of the answer", color=MUTED, fontsize=9.5)
