"""How the scores of images lie beside those of known ones."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from .style import BLUE, INK, MUTED, ORANGE, figure, save, tidy

BINS = 40
CLIP = 0.005  # of the scores at either end are drawn at the edge, so that a few do not flatten the rest


def histograms(
    known: Mapping[str, np.ndarray],
    images: Mapping[str, np.ndarray],
    thresholds: Mapping[str, float],
    path: str | Path,
    names: tuple[str, str] = ("known images", "these images"),
) -> None:
    """Draw a panel for each score: known images, the images in question, and the threshold."""
    columns = min(3, len(known))
    rows = -(-len(known) // columns)
    drawing = figure(3.4 * columns, 2.35 * rows + 0.5)
    drawing.set_layout_engine(
        "constrained", h_pad=0.1, w_pad=0.08, rect=(0, 0, 1, 1 - 0.4 / (2.35 * rows + 0.5))
    )
    panels = drawing.subplots(rows, columns, squeeze=False).flatten()
    for axes in panels[len(known) :]:
        axes.axis("off")
    for axes, name in zip(panels, known, strict=False):
        _panel(axes, name, known[name], images[name], thresholds.get(name), names)
    handles, labels = panels[0].get_legend_handles_labels()
    drawing.legend(
        handles,
        labels,
        loc="upper left",
        ncols=3,
        frameon=False,
        fontsize=9,
        labelcolor=INK,
        borderaxespad=0.3,
    )
    save(drawing, path)


def _panel(
    axes: Axes,
    title: str,
    known: np.ndarray,
    images: np.ndarray,
    threshold: float | None,
    names: tuple[str, str],
) -> None:
    tidy(axes, title)
    both = [values[np.isfinite(values)] for values in (known, images)]
    every = np.concatenate(both)
    ends = [np.quantile(values, (CLIP, 1 - CLIP)) for values in both if len(values)]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    if threshold is not None and np.isfinite(threshold):
        low, high = min(low, threshold), max(high, threshold)
    if not high > low:
        low, high = float(every.min()) - 0.5, float(every.max()) + 0.5
    edges = np.linspace(low, high, BINS + 1)
    for values, name, colour in zip((known, images), names, (BLUE, ORANGE), strict=True):
        finite = np.clip(np.nan_to_num(values, posinf=high, neginf=low), low, high)
        weights = np.full(len(finite), 1 / max(1, len(finite)))
        axes.hist(finite, edges.tolist(), weights=weights, color=colour, alpha=0.55, label=name, linewidth=0)
    if threshold is not None:
        axes.axvline(threshold, color=INK, linewidth=1.1, linestyle="--", label="threshold")
    axes.set_yticks([])
    axes.set_xlabel("known  ←  score  →  foreign", fontsize=8, color=MUTED)
