"""Accuracy against the share of the pixels that the model has seen."""

from collections.abc import Sequence
from pathlib import Path

from .style import BLUE, GREY, MUTED, figure, save, tidy


def accuracy_seen(
    shares: Sequence[float],
    accuracies: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    chance: float,
    path: str | Path,
) -> None:
    """Draw accuracies [S] with their intervals against the shares [S] of pixels seen in raster order; `chance` is what
    naming the most frequent class reaches."""
    drawing = figure(6.4, 4.0)
    drawing.set_layout_engine("constrained")
    axes = drawing.add_subplot()
    tidy(axes, "Accuracy by the pixels seen so far (raster order, Bayes' rule alone)")
    axes.axhline(100 * chance, color=GREY, linewidth=1.2, linestyle="--")
    axes.text(99, 100 * chance + 1, "most frequent class", ha="right", va="bottom", fontsize=8, color=MUTED)
    percent = [100 * share for share in shares]
    low, high = zip(*intervals, strict=True)
    axes.fill_between(percent, [100 * v for v in low], [100 * v for v in high], color=BLUE, alpha=0.15, lw=0)
    axes.plot(percent, [100 * value for value in accuracies], color=BLUE, linewidth=1.8)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 101)
    axes.set_xlabel("pixels seen, %", color=MUTED, fontsize=9.5)
    axes.set_ylabel("accuracy, %", color=MUTED, fontsize=9.5)
    save(drawing, path)
