"""What all pictures share: colours, figures, and saving whole files."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..files import whole

DPI = 144
MOST_CLASSES = 20  # in one picture; more cannot be read
INK, MUTED, GRID = "#1d2433", "#697386", "#e6e9ef"
BLUE, ORANGE, GREEN, GREY = "#2f6fde", "#e07b39", "#2a9d6f", "#b4bdcb"


def figure(width: float, height: float) -> Figure:
    """An empty white figure of `width` x `height` inches."""
    empty = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(empty)
    return empty


def tidy(axes: Axes, title: str) -> None:
    """A title on the left, a quiet grid, no box."""
    axes.set_title(title, loc="left", fontsize=10.5, fontweight="bold", color=INK, pad=9)
    axes.grid(True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, labelsize=8.5, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)


def save(finished: Figure, path: str | Path) -> None:
    """Write the figure to `path`, whole or not at all."""
    with whole(path) as temporary:
        finished.savefig(temporary, dpi=DPI)


def shorten(name: str, length: int = 18) -> str:
    """A class name that fits beside a row; what is left out is in the middle, since endings often differ."""
    half = (length - 1) // 2
    return name if len(name) <= length else f"{name[: length - 1 - half]}…{name[-half:]}"
