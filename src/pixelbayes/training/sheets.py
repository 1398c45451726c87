"""The pictures of a run: curves, samples, augmented examples."""

from pathlib import Path

import torch

from ..data import Augment, ImageSet
from ..files import whole
from ..model import AutoregressiveImageModel
from ..pictures import curves, sheet
from ..tasks.generate import generate
from .batches import derive

MOST_ROWS = 20
IMAGES = 64  # on one sheet, about
SECONDS_A_PIXEL = 1.5e-3  # of a walk on a CPU, before one was timed


def draw_curves(out: Path, best_step: int) -> None:
    """`OUT/curves.png` from `OUT/journal.csv`."""
    with whole(out / "curves.png") as temporary:
        curves(out / "journal.csv", temporary, best_step)


def draw_samples(model: AutoregressiveImageModel, path: Path, seed: int, title: str = "") -> None:
    """A sheet with a row of generated images for each class, of 20 classes at most."""
    classes = len(model.classes)
    rows = min(classes, MOST_ROWS)
    columns = max(2, min(8, IMAGES // max(1, rows)))
    names = [model.classes[index] for index in range(rows)]
    labels = [name for name in names for _ in range(columns)] if classes else None
    images = generate(model, labels, count=IMAGES // 4, seed=seed)
    title += f" (the first {rows} of {classes} classes)" if classes > rows else ""
    with whole(path) as temporary:
        sheet(images, model.shape, temporary, rows=names or None, title=title)


def expected_seconds(model: AutoregressiveImageModel) -> float:
    """A rough guess of what a sheet costs."""
    return SECONDS_A_PIXEL * model.shape.height * model.shape.width


def draw_augmented(images: ImageSet, augment: Augment, path: Path, seed: int, columns: int = 10) -> None:
    """Some training images as they are, and three times augmented."""
    chosen = torch.linspace(0, len(images) - 1, min(columns, len(images))).long()
    levels = images.levels[chosen]
    drawn = [levels]
    with torch.random.fork_rng(devices=[]):
        for number in range(3):
            torch.manual_seed(derive(seed, "augmented", number))
            drawn.append(augment(levels).cpu())
    names = ["original", "augmented", "augmented", "augmented"]
    with whole(path) as temporary:
        sheet(torch.cat(drawn), images.shape, temporary, rows=names, title="what training sees")
