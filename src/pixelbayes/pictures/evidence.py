"""Evidence maps: which pixels speak for a class, and which for its rival."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from ..data import ImageSet
from ..labels import UNKNOWN
from ..tasks.explain import Evidence
from .sheets import preview
from .style import BLUE, INK, MUTED, ORANGE, figure, save, shorten

DIVERGING = LinearSegmentedColormap.from_list(
    "evidence", ["#7a3208", ORANGE, "#f6d3bb", "#ffffff", "#c3d7f8", BLUE, "#12336f"]
)
DARK = "#b3541a"  # orange that can be read as text
PER_SHEET = 24
FAINT = 0.18  # how much of the image is seen beneath the evidence
FULL = 0.995  # the share of the pixels that the scale holds; the strongest are drawn at its ends


@dataclass(frozen=True)
class Panel:
    """One image and its evidence."""

    image: np.ndarray
    """What is shown of it, uint8 [H, W, 3]."""
    evidence: np.ndarray
    """[H, W] in nats; positive for the class."""
    chosen: str
    rival: str
    name: str
    """The image's own, such as its file's."""
    probability: float
    true: str | None = None

    @property
    def bits(self) -> np.ndarray:
        return self.evidence / log(2)

    @property
    def odds(self) -> str:
        return f"{self.bits.sum():+,.1f} bits"


def panels_of(evidence: Evidence, images: ImageSet) -> list[Panel]:
    """What the pictures show of each image."""
    values = preview(images.levels, images.shape)
    columns = (evidence.chosen, evidence.rivals, evidence.probability, images.labels)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [
        Panel(
            values[row],
            evidence.maps[row].numpy(),
            evidence.classes[chosen],
            evidence.classes[rival],
            images.paths[row],
            probability,
            None if true == UNKNOWN else evidence.classes[true],
        )
        for row, (chosen, rival, probability, true) in enumerate(rows)
    ]


def evidence_picture(panel: Panel, path: str | Path) -> None:
    """Draw one image, its evidence over it, and the scale in bits."""
    side, across = _size(panel, 3.3)
    width, height = 2 * across + 1.7, side + 1.35
    drawing = figure(width, height)
    drawing.set_layout_engine("constrained", w_pad=0.08, h_pad=0.06, rect=(0, 0, 1, 1 - 0.72 / height))
    plain, over = drawing.subplots(1, 2)
    limit = scale_of([panel])
    _show(plain, panel.image, _line(panel.name, panel.true))
    _show(over, blend(panel, limit), "what each pixel adds,\ngiven those above and to its left")
    _scale(drawing, [plain, over], limit, f"for {shorten(panel.chosen)}", f"for {shorten(panel.rival)}")
    drawing.text(
        0.1 / width, 1 - 0.26 / height, f"{shorten(panel.chosen, 28)} rather than {shorten(panel.rival, 28)}",
        ha="left", va="center", fontsize=12, fontweight="bold", color=INK,
    )  # fmt: skip
    drawing.text(
        0.1 / width, 1 - 0.54 / height,
        f"log odds {panel.odds} · probability of {shorten(panel.chosen)} {panel.probability:.3f}",
        ha="left", va="center", fontsize=9.5, color=MUTED,
    )  # fmt: skip
    save(drawing, path)


def evidence_sheet(panels: Sequence[Panel], path: str | Path, title: str = "") -> None:
    """Draw up to `PER_SHEET` images with their evidence beside them, all on one scale."""
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    side, across = _size(panels[0], 1.45)
    width, height = columns * (2 * across + 0.3) + 1.4, rows * (side + 0.45) + 0.5
    drawing = figure(width, height)
    drawing.set_layout_engine("constrained", w_pad=0.03, h_pad=0.05, rect=(0, 0, 1, 1 - 0.36 / height))
    axes = drawing.subplots(rows, 2 * columns, squeeze=False)
    limit = scale_of(panels)
    for cell in axes.flat:
        cell.axis("off")
    for number, panel in enumerate(panels):
        plain, over = axes[number // columns, 2 * (number % columns) : 2 * (number % columns) + 2]
        _show(plain, panel.image, _line(panel.name, panel.true, 20), 7)
        _show(
            over,
            blend(panel, limit),
            f"{shorten(panel.chosen, 12)} / {shorten(panel.rival, 12)}\n{panel.odds}",
            7,
        )
    _scale(drawing, list(axes.flat), limit, "for the class", "for its rival")
    words = (
        f"evidence for a class / its rival, in bits · {title}"
        if title
        else "evidence for a class / its rival"
    )
    drawing.text(
        0.1 / width,
        1 - 0.2 / height,
        words,
        ha="left",
        va="center",
        fontsize=9.5,
        fontweight="bold",
        color=INK,
    )
    save(drawing, path)


def _size(panel: Panel, side: float) -> tuple[float, float]:
    """The height and the width in inches at which an image is drawn."""
    height, width = panel.image.shape[:2]
    return (side, side * width / height) if width <= 2 * height else (2 * side * height / width, 2 * side)


def scale_of(panels: Sequence[Panel]) -> float:
    """The bits at the ends of a scale for these maps; a few pixels may lie beyond."""
    sizes = np.abs(np.concatenate([panel.bits.ravel() for panel in panels]))
    finite = sizes[np.isfinite(sizes)]
    return max(1e-3, float(np.quantile(finite, FULL))) if len(finite) else 1.0


def blend(panel: Panel, limit: float) -> np.ndarray:
    """The evidence in colour over the faint grey image, in 0..1 [H, W, 3]; no evidence: the image alone."""
    grey = panel.image.astype(float).mean(2, keepdims=True).repeat(3, 2) / 255
    paper = 1 - FAINT * (1 - grey)
    colour = DIVERGING(Normalize(-limit, limit, clip=True)(np.nan_to_num(panel.bits)))[..., :3]
    return np.asarray(paper * colour)


def _line(name: str, true: str | None, length: int = 34) -> str:
    own = shorten(Path(name).name, length)
    return own if true is None else f"{own}\ntrue: {shorten(true)}"


def _show(axes: Axes, image: np.ndarray, title: str, size: float = 9) -> None:
    axes.imshow(image, interpolation="nearest")
    axes.set_title(title, fontsize=size, color=MUTED, loc="left", pad=4)
    axes.axis("off")


def _scale(drawing: Figure, beside: list[Axes], limit: float, above: str, below: str) -> None:
    """The colour bar in bits, with whom its ends speak for."""
    colours = ScalarMappable(Normalize(-limit, limit), DIVERGING)
    size = min(0.86, 3 / drawing.get_figheight())
    bar = drawing.colorbar(colours, ax=beside, extend="both", aspect=20, shrink=size, pad=0.02)
    bar.ax.tick_params(labelsize=8, colors=MUTED, length=2)
    bar.outline.set_visible(False)
    bar.set_label("bits a pixel", fontsize=8.5, color=MUTED)
    for text, end, away, colour in ((above, 1, 18, BLUE), (below, 0, -24, DARK)):
        bar.ax.annotate(
            text, (0.5, end), (0, away), xycoords="axes fraction", textcoords="offset points",
            ha="center", fontsize=8, color=colour,
        )  # fmt: skip
