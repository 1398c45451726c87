"""What all pictures share: colours, figures, and saving whole files."""

import warnings
from functools import cache
from pathlib import Path
from textwrap import wrap
from unicodedata import category

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, NullFormatter

from ..files import whole
from ..progress import warn

DPI = 144
MOST_CLASSES = 20  # in one picture; more cannot be read
OTHER_SCRIPTS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK KR", "Source Han Sans", "Droid Sans Fallback",
    "WenQuanYi Zen Hei", "IPAGothic", "Hiragino Sans", "PingFang SC", "Apple SD Gothic Neo", "Yu Gothic",
    "Microsoft YaHei", "Malgun Gothic", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari",
    "Noto Sans Thai", "Arial Unicode MS", "FreeSans",
)  # fmt: skip
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
    """Write the figure to `path`, whole or not at all; letters that no font here has are told once.

    No text is read as mathematics, the numbers of an axis included (a logarithmic one would be spelled in it).
    """
    families = ["DejaVu Sans", *further_fonts()]
    for axes in finished.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == "log":
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                axis.set_minor_formatter(NullFormatter())
    for text in finished.findobj(Text):
        text.set_fontfamily(families)
        text.set_parse_math(False)  # a class may be called '$'
    with warnings.catch_warnings(record=True) as caught, whole(path) as temporary:
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", "Glyph")
        finished.savefig(temporary, dpi=DPI)
    if caught:
        warn("no font here has some letters of the class names: they are boxes in the picture")


@cache
def further_fonts() -> tuple[str, ...]:
    """Those of the fonts for other scripts that are installed."""
    installed = {font.name for font in fontManager.ttflist}
    return tuple(name for name in OTHER_SCRIPTS if name in installed)


def shorten(name: str, length: int = 18) -> str:
    """A class name that fits beside a row; what is left out is in the middle, since endings often differ; letters that
    cannot be shown (a line break, say) are blanks."""
    name = "".join(" " if category(letter) in ("Cc", "Zl", "Zp") else letter for letter in name)
    half = (length - 1) // 2
    return name if len(name) <= length else f"{name[: length - 1 - half]}…{name[-half:]}"


def in_lines(text: str, width: float, points: float) -> str:
    """A text broken at its blanks into lines of at most `width` inches in letters of `points`; letters that cannot be
    shown are blanks. Letters are taken to be as wide as those of common words are on average, and a little more.

    >>> in_lines("one two three", 0.8, 9)
    'one two\\nthree'
    """
    return "\n".join(wrap(shorten(text, len(text)), max(8, int(width / (0.56 * points / 72)))))
