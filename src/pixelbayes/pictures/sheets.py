"""A sheet of images: a row for each class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from ..levels import ImageShape, to_signal
from .style import DPI, INK, MOST_CLASSES, MUTED, figure, save, shorten

IMAGE_PIXELS = 96  # the least side of an image on the sheet, so that 8x8 images can be seen
GAP = 6
BETWEEN = (205, 212, 224)  # neither black nor white, so that the edges of images are seen
MARGIN = 16


def sheet(
    levels: Tensor,
    shape: ImageShape,
    path: str | Path,
    rows: Sequence[str] | None = None,
    title: str = "",
    columns: int | None = None,
) -> None:
    """Draw integer levels [N, C, H, W] as a PNG, in their order, enlarged by whole pixels.

    With `rows` there are N / len(rows) images in each row, labelled by its name (the first 20 are drawn);
    without, the images fill a nearly square sheet, or one of `columns`.
    """
    if rows:
        columns = max(1, len(levels) // len(rows))
        row_names = list(rows[:MOST_CLASSES])
        if len(rows) > len(row_names):
            title = f"{title or 'samples'} · {len(row_names)} of {len(rows)} classes"
    else:
        columns = columns or max(1, round(len(levels) ** 0.5))
        row_names = [""] * -(-len(levels) // columns)
    values = preview(levels[: len(row_names) * columns], shape)
    canvas = _compose(values, len(row_names), columns)
    _draw(canvas, row_names, title, path)


def preview(levels: Tensor, shape: ImageShape) -> np.ndarray:
    """Levels [N, C, H, W] -> what is shown, uint8 [N, H, W, 3].

    Few levels are spread over black to white, and the map of the signal is applied. Of more than 256 linear
    levels the middle 99 % of all values are stretched, since such images are mostly dark.
    """
    signal = (to_signal(levels, shape.levels, shape.signal).numpy() + 1) / 2
    if shape.levels > 256 and shape.signal == "linear":
        low, high = np.quantile(signal, (0.005, 0.995))
        signal = np.clip((signal - low) / max(high - low, 1e-9), 0, 1)
    values = np.floor(signal * 255 + 0.5).astype(np.uint8)
    return np.moveaxis(values if values.shape[1] == 3 else values[:, :1].repeat(3, 1), 1, -1)


def _compose(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Images [N, H, W, 3] -> one canvas of `rows` x `columns` enlarged images."""
    enlarge = -(-IMAGE_PIXELS // max(values.shape[1:3]))
    large = values.repeat(enlarge, 1).repeat(enlarge, 2)
    _, height, width, _ = large.shape
    size = (height + GAP) * rows - GAP, (width + GAP) * columns - GAP
    canvas = np.full((*size, 3), BETWEEN, np.uint8)
    for index, image in enumerate(large):
        top, left = (index // columns) * (height + GAP), (index % columns) * (width + GAP)
        canvas[top : top + height, left : left + width] = image
    return canvas


def _draw(canvas: np.ndarray, rows: Sequence[str], title: str, path: str | Path) -> None:
    """Place the canvas pixel by pixel, the names of the rows to its left and the title above."""
    names = [shorten(name) for name in rows]
    left = MARGIN + (12 + 13 * max(map(len, names)) if any(names) else 0)
    top = 52 if title else MARGIN
    height, width = canvas.shape[:2]
    title_width = 14 * len(title) + 2 * MARGIN
    whole_width, whole_height = max(left + width + MARGIN, title_width), top + height + MARGIN
    drawing = figure(whole_width / DPI, whole_height / DPI)
    drawing.figimage(canvas, left, MARGIN, origin="upper")
    step = (height + GAP) / len(names)
    for index, name in enumerate(names):
        middle = whole_height - top - (index + 0.5) * step + GAP / 2
        drawing.text(
            (left - 12) / whole_width, middle / whole_height, name,
            ha="right", va="center", fontsize=9.5, color=INK,
        )  # fmt: skip
    drawing.text(
        MARGIN / whole_width, 1 - 26 / whole_height, title, ha="left", va="center", fontsize=10, color=MUTED
    )
    save(drawing, path)
