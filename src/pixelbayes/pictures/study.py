"""A study's plots: a point for each variant, a line along each axis, curves of the training."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from .style import BLUE, GREEN, GREY, INK, MUTED, ORANGE, figure, in_lines, save, shorten, tidy

COLOURS = (BLUE, ORANGE, GREEN, "#8a56c2", "#c23b5a", "#2b8a9e", "#8a6d2f", GREY)
MOST_LINES = 12
PANELS = (
    ("bits_per_dim", "bits/dim\n(less is better)", 1.0),
    ("accuracy", "accuracy in %\n(more is better)", 100.0),
)


class MeanLike(Protocol):
    """A figure over seeds."""

    @property
    def mean(self) -> float: ...
    @property
    def deviation(self) -> float | None: ...


def variants_picture(
    variants: Mapping[str, Mapping[str, MeanLike]], path: str | Path, title: str = ""
) -> None:
    """Each variant's bits/dim and accuracy, mean and standard deviation over seeds."""
    panels = [panel for panel in PANELS if any(panel[0] in figures for figures in variants.values())]
    width = 2.2 + 2.1 * len(panels)
    heading = in_lines(title, 0.97 * width, 9)
    drawing = figure(width, 1.55 + 0.32 * len(variants) + 0.16 * heading.count("\n"))
    drawing.set_layout_engine("constrained")
    drawing.suptitle(heading, fontsize=9, color=MUTED, x=0.01, ha="left")
    for column, (name, meaning, scale) in enumerate(panels):
        axes = drawing.add_subplot(1, len(panels), column + 1)
        tidy(axes, meaning)
        for position, figures in enumerate(variants.values()):
            if name in figures:
                mean, spread = figures[name].mean * scale, (figures[name].deviation or 0.0) * scale
                axes.errorbar(
                    mean, -position, xerr=spread, fmt="o", color=BLUE, ecolor=MUTED, capsize=3, markersize=5
                )
        axes.xaxis.set_major_locator(MaxNLocator(4))
        names = [shorten(name, 34) for name in variants] if not column else [""] * len(variants)
        axes.set_yticks([-position for position in range(len(variants))], names)
        axes.tick_params(axis="y", colors=INK)
        axes.set_ylim(0.6 - len(variants), 0.6)
    save(drawing, path)


def scan_picture(lines: Mapping[str, Sequence[tuple[float, MeanLike]]], axis: str, path: str | Path) -> None:
    """Bits/dim along one axis of the grid, with the standard deviation over seeds."""
    drawing = figure(5.4, 3.6)
    drawing.set_layout_engine("constrained")
    axes = drawing.add_subplot()
    tidy(axes, f"bits/dim against {axis.rpartition('.')[2]}")
    for (name, line), colour in zip(list(lines.items())[:MOST_LINES], COLOURS * 2, strict=False):
        xs, means = [x for x, _ in line], [mean.mean for _, mean in line]
        spread = [mean.deviation or 0.0 for _, mean in line]
        axes.errorbar(
            xs,
            means,
            yerr=spread,
            fmt="o-",
            color=colour,
            capsize=3,
            markersize=4,
            label=shorten(name, 28),
        )
    axes.set_xticks(sorted({x for line in lines.values() for x, _ in line}))
    axes.set_xlabel(axis, color=MUTED, fontsize=8.5)
    _legend(axes, len(lines))
    save(drawing, path)


def curves_picture(rows: Sequence[Mapping[str, str]], path: str | Path) -> None:
    """Bits/dim of validation (whole lines) and of training (dotted), and accuracy, over epochs; a line a seed."""
    scored = any(row["validation_accuracy"] for row in rows)
    drawing = figure(6.4, 6.8 if scored else 3.6)  # one below the other: a phone shows them, too
    drawing.set_layout_engine("constrained")
    panels = [
        ("validation_bits_per_dim", "bits/dim over epochs"),
        ("validation_accuracy", "validation accuracy over epochs"),
    ]
    variants = list(dict.fromkeys(row["variant"] for row in rows))[:MOST_LINES]
    for panel, (name, heading) in enumerate(panels[: 1 + scored]):
        axes = drawing.add_subplot(1 + scored, 1, panel + 1)
        tidy(axes, heading)
        for variant, colour in zip(variants, COLOURS * 2, strict=False):
            _curves(
                axes, [row for row in rows if row["variant"] == variant], name, colour, shorten(variant, 28)
            )
        axes.set_xlabel("epoch", color=MUTED, fontsize=8.5)
        if not panel:
            _legend(axes, len(variants))
    save(drawing, path)


def _curves(axes: Axes, rows: Sequence[Mapping[str, str]], name: str, colour: str, label: str) -> None:
    for index, seed in enumerate(dict.fromkeys(row["seed"] for row in rows)):
        own = [row for row in rows if row["seed"] == seed]
        for column, style in ((name, "-"), *([("train_bits_per_dim", ":")] if "bits" in name else [])):
            points = [(float(row["epoch"]), float(row[column])) for row in own if row[column]]
            legend = label if not index and style == "-" else None
            axes.plot(
                *zip(*points, strict=True), style, color=colour, linewidth=1.3, label=legend
            ) if points else None


def _legend(axes: Axes, lines: int) -> None:
    if lines > 1:
        axes.legend(frameon=False, fontsize=7.5, labelcolor=INK)
