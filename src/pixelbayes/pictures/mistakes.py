"""A sheet of mistakes: the images that got a wrong name, with both names and how sure the model was."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from ..levels import ImageShape
from .sheets import preview
from .style import INK, MUTED, ORANGE, figure, save, shorten

COLUMNS, MOST = 8, 40
WIDTH, CAPTION = 1.15, 0.5  # inches of an image's column, and of the words below it


def mistakes_sheet(
    levels: Tensor,
    captions: Sequence[tuple[str, str, float]],
    shape: ImageShape,
    path: str | Path,
    title: str,
) -> None:
    """Draw images [N, C, H, W], each above its caption (true name, given name, probability), at most 40 in the order
    given."""
    pictures, listed = preview(levels[:MOST], shape), list(captions[:MOST])
    columns = min(COLUMNS, max(4, len(listed)))
    rows = -(-len(listed) // columns)
    tall = WIDTH * shape.height / shape.width * 0.9 + CAPTION
    drawing = figure(columns * WIDTH + 0.3, rows * tall + 0.5)
    height = rows * tall + 0.5
    drawing.text(
        0.15 / (columns * WIDTH + 0.3), 1 - 0.27 / height, title, ha="left", va="center",
        fontsize=10.5, fontweight="bold", color=INK,
    )  # fmt: skip
    for index, (picture, (true, given, probability)) in enumerate(zip(pictures, listed, strict=True)):
        row, column = divmod(index, columns)
        left = (0.15 + column * WIDTH + 0.05 * WIDTH) / (columns * WIDTH + 0.3)
        bottom = 1 - (0.5 + (row + 1) * tall - CAPTION) / height
        size = 0.9 * WIDTH / (columns * WIDTH + 0.3), (tall - CAPTION) / height
        axes = drawing.add_axes((left, bottom, *size))
        axes.imshow(picture, interpolation="nearest")
        axes.set_axis_off()
        for line, (words, colour) in enumerate(
            (
                (f"is {shorten(true, 14)}", INK),
                (f"called {shorten(given, 10)}", ORANGE),
                (f"{probability:.0%} sure", MUTED),
            )
        ):
            axes.text(
                0.5, -0.04 - line * 0.155 * (WIDTH * 0.9) / (tall - CAPTION), words, transform=axes.transAxes,
                ha="center", va="top", fontsize=6.8, color=colour,
            )  # fmt: skip
    save(drawing, path)
