"""A confusion matrix: where the predicted class is not the true one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from .style import INK, MOST_CLASSES, MUTED, figure, save, shorten

SHADES = LinearSegmentedColormap.from_list("shades", ["#ffffff", "#cfe0fb", "#2f6fde", "#143a7c"])


def confusion(
    matrix: Sequence[Sequence[int]] | np.ndarray, names: Sequence[str], path: str | Path, title: str = ""
) -> None:
    """Draw counts [K, K] (rows true, columns predicted) with each row's shares as shades.

    Of more than 20 classes, the 20 with most mistakes are shown.
    """
    everything = np.asarray(matrix)
    chosen = most_confused(everything)
    counts = everything[np.ix_(chosen, chosen)]
    shares = counts / everything.sum(1)[chosen, None].clip(1)
    labels = [shorten(names[index], 14) for index in chosen]
    longest = max(map(len, labels))
    drawing = figure(2.6 + 0.42 * len(chosen) + 0.1 * longest, 2.6 + 0.42 * len(chosen) + 0.05 * longest)
    drawing.set_layout_engine("constrained")
    axes = drawing.add_subplot()
    axes.imshow(shares, cmap=SHADES, vmin=0, vmax=1, aspect="equal")
    _label(axes, labels)
    _write(axes, counts, shares)
    total = int(everything.sum())
    heading = title or f"{np.trace(everything) / max(1, total):.1%} of {total:,} images named right"
    if len(chosen) < len(everything):
        heading += f"\nthe {len(chosen)} most confused of {len(everything)} classes"
    axes.set_title(heading, fontsize=10.5, fontweight="bold", color=INK, pad=10)
    save(drawing, path)


def most_confused(counts: np.ndarray) -> np.ndarray:
    wrong = counts.sum(0) + counts.sum(1) - 2 * counts.diagonal()
    return np.sort(np.argsort(-wrong, kind="stable")[:MOST_CLASSES])


def _label(axes: Axes, labels: Sequence[str]) -> None:
    positions = range(len(labels))
    slanted = max(map(len, labels)) > 3
    axes.set_xticks(positions, labels, rotation=45 if slanted else 0, ha="right" if slanted else "center")
    axes.set_yticks(positions, labels)
    axes.tick_params(colors=INK, labelsize=9, length=0)
    axes.set_xlabel("predicted", color=MUTED, fontsize=9.5)
    axes.set_ylabel("true", color=MUTED, fontsize=9.5)
    axes.set_xticks(np.arange(len(labels) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(labels) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#eef0f4", linewidth=1)
    axes.tick_params(which="minor", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _write(axes: Axes, counts: np.ndarray, shares: np.ndarray) -> None:
    """The counts; zeros are left blank, so that the mistakes stand out."""
    for row, column in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[row, column] > 0.45 else INK
        number = str(counts[row, column])
        size = 8.5 - 0.6 * max(0, len(number) - 3)
        axes.text(column, row, number, ha="center", va="center", color=colour, fontsize=size)
