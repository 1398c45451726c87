"""What came out of the training: curves and samples."""

import csv
from collections.abc import Mapping
from typing import Any

import torch

from ..pictures import curves as draw_curves
from ..pictures import sheet
from ..tasks.generate import generate
from .sections import register_section
from .source import Source, drawn

MOST_CLASSES = 20
SAMPLES = 8  # of each class
DRAWN_HERE = 2**20
"""Values of all images up to which a sheet is drawn for the report, where the run has none."""


@register_section("samples", "Drawn by the model")
def samples(source: Source) -> Mapping[str, Any] | None:
    """The run's sheet of samples, or one that is drawn now."""
    path = None if source.folder is None else source.folder / "samples.png"
    if path is not None and path.is_file():
        picture = path.read_bytes()
        if picture.startswith(b"\x89PNG"):
            return {"picture": picture}
    if source.model is None:
        return None
    model, names = source.model, source.model.classes.names[:MOST_CLASSES]
    count = SAMPLES * max(1, len(names))
    if count * model.shape.dims > DRAWN_HERE:
        return None
    labels = torch.arange(len(names)).repeat_interleave(SAMPLES) if names else None
    images = generate(model, labels, count=count, seed=source.seed)
    return {"picture": drawn(lambda path: sheet(images, model.shape, path, rows=names or None))}


@register_section("curves", "Training")
def curves(source: Source) -> Mapping[str, Any] | None:
    """Bits/dim and accuracy over the epochs, from the journal."""
    if source.journal is None:
        return None
    journal, step = source.journal, source.record.training.step
    marked = step if isinstance(step, int) and not isinstance(step, bool) and step > 0 else None
    try:
        return {"picture": drawn(lambda path: draw_curves(journal, path, marked))}
    except (OSError, csv.Error):
        return None
