"""Training curves from a run's journal."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ..journals import read_columns
from .style import BLUE, GREEN, GREY, INK, MUTED, ORANGE, figure, save, tidy

Series = tuple[np.ndarray, np.ndarray]


def curves(journal: str | Path, path: str | Path, best_step: int | None = None) -> None:
    """Draw bits/dim in training and on validation, and the validation accuracies, over the epochs.

    `journal` is a CSV file; columns and values that are missing are left out, and without epochs the steps
    are counted. A model without classes has no lower panel. The validation at `best_step`, whose weights are
    kept, is marked; without it, the one of the fewest bits.
    """
    table = read_columns(journal)
    axis = "epoch" if np.isfinite(table.get("epoch", np.array([]))).sum() > 1 else "step"
    accuracies = [
        ("accuracy", GREEN, _series(table, axis, "validation_accuracy")),
        ("balanced accuracy", ORANGE, _series(table, axis, "validation_balanced_accuracy")),
    ]
    drawn = [entry for entry in accuracies if len(entry[2][0])]
    drawing = figure(7.2, 5.6 if drawn else 3.4)
    drawing.set_layout_engine("constrained", h_pad=0.12, w_pad=0.1)
    upper = drawing.add_subplot(2 if drawn else 1, 1, 1)
    _bits(
        upper, *(_series(table, axis, f"{name}_bits_per_dim") for name in ("train", "fitted", "validation"))
    )
    _best(upper, table, axis, best_step)
    lowest = upper
    if drawn:
        lowest = drawing.add_subplot(2, 1, 2, sharex=upper)
        _accuracies(lowest, drawn)
    lowest.set_xlabel(axis, color=MUTED, fontsize=9)
    lowest.xaxis.set_major_locator(MaxNLocator(integer=True))
    lowest.set_xlim(0, max(1, lowest.get_xlim()[1]))
    save(drawing, path)


def _series(table: dict[str, np.ndarray], axis: str, name: str) -> Series:
    """The points (axis, value) at which both are known."""
    if axis not in table or name not in table:
        return np.array([]), np.array([])
    known = np.isfinite(table[axis]) & np.isfinite(table[name])
    return table[axis][known], table[name][known]


def _bits(axes: Axes, train: Series, fitted: Series, validation: Series) -> None:
    """`fitted` is the likelihood of training images as they are: its distance from validation is what the model
    has learned by heart; `train` is the loss, with dropout and augmentation."""
    tidy(axes, "bits per dimension")
    _line(axes, train, "training loss", GREY, linewidth=1.2)
    _line(axes, fitted, "training images", ORANGE, linewidth=1.8)
    _line(axes, validation, "validation images", BLUE, linewidth=1.8)
    values = np.concatenate([train[1], fitted[1], validation[1]])
    if not len(values):
        axes.text(0.5, 0.5, "nothing measured yet", ha="center", color=MUTED, transform=axes.transAxes)
        return
    # The first steps are far above all others and would flatten the rest.
    typical = np.median(values) + 2 * (np.median(values) - values.min())
    top = values.max() if len(values) < 20 else min(values.max(), max(np.quantile(values, 0.9), typical))
    margin = 0.08 * max(top - values.min(), 1e-3)
    axes.set_ylim(values.min() - margin, top + margin)
    axes.legend(frameon=False, fontsize=8.5, labelcolor=INK, loc="upper right")


def _best(axes: Axes, table: dict[str, np.ndarray], axis: str, step: int | None) -> None:
    """Mark the validation whose weights are kept."""
    xs, bits = _series(table, axis, "validation_bits_per_dim")
    if not len(bits):
        return
    best = int(bits.argmin())
    if step is not None and "step" in table:
        known = np.isfinite(table[axis]) & np.isfinite(table["validation_bits_per_dim"])
        (at,) = np.nonzero(table["step"][known] == step)
        if not len(at):  # weights of which nothing was measured
            return
        best = int(at[-1])
    _mark(axes, xs[best], bits[best], f"kept {bits[best]:.3f}", BLUE)


def _accuracies(axes: Axes, drawn: list[tuple[str, str, Series]]) -> None:
    tidy(axes, "accuracy on validation")
    for name, colour, series in drawn:
        _line(axes, series, name, colour, linewidth=1.8)
    every = np.concatenate([series[1] for _, _, series in drawn])
    axes.set_ylim(max(0.0, float(np.quantile(every, 0.05)) - 0.05), min(1.02, float(every.max()) + 0.03))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes.legend(frameon=False, fontsize=8.5, labelcolor=INK, loc="lower right")


def _line(axes: Axes, series: Series, name: str, colour: str, linewidth: float) -> None:
    if len(series[0]):
        (line,) = axes.plot(*series, label=name, color=colour, linewidth=linewidth)
        if len(series[0]) < 40:
            line.set(marker="o", markersize=3)


def _mark(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    axes.plot([x], [y], "o", color=colour, markersize=6, markeredgecolor="white", zorder=5)
    axes.annotate(
        text, (x, y), (0, 9), textcoords="offset points",
        ha="center", fontsize=8.5, fontweight="bold", color=colour,
    )  # fmt: skip
