"""What held-out images say of the model: figures, confusion, reliability, mistakes."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from ..levels import ImageShape
from ..measure.reliability import reliability as bins_of
from ..measure.reliability import surest_mistakes
from ..pictures import confusion as draw_confusion
from ..pictures import preview
from ..pictures.reliability import reliability_diagram
from .sections import register_section
from .source import Source, drawn

MOST_MISTAKES = 12
FIGURES = (
    ("bits_per_dim", "bits per dimension", ".4f"),
    ("marginal_bits_per_dim", "bits per dimension without the class", ".4f"),
    ("accuracy", "accuracy", ".2%"),
    ("balanced_accuracy", "balanced accuracy", ".2%"),
    ("macro_f1", "macro F1", ".4f"),
    ("log_loss", "log loss (nats)", ".4f"),
    ("calibration_error", "expected calibration error", ".4f"),
)


@register_section("comparisons", "Beside simple baselines")
def comparisons(source: Source) -> Mapping[str, Any] | None:
    """The model among what simple models reach on the same images."""
    if not source.comparisons:
        return None
    return {"rows": source.comparisons, "longest": max(row.bits_per_dim for row in source.comparisons)}


@register_section("figures", "What was measured")
def figures(source: Source) -> Mapping[str, Any] | None:
    """All figures, in a table."""
    entries = [(name, meaning, form, source.figure(name)) for name, meaning, form in FIGURES]
    rows = [
        (
            meaning,
            format(value, form),
            _interval(source, name, form),
            None if alone is None else format(alone, form),
        )
        for name, meaning, form, value in entries
        for alone in [source.figure(f"uncalibrated.{name}")]
        if value is not None
    ]
    if not rows:
        return None
    return {
        "rows": rows,
        "on": source.measured,
        "calibrated": any(alone for *_, alone in rows),
        "intervals": any(interval for _, _, interval, _ in rows),
        "remarks": [remark.rstrip(".") for remark in source.remarks],
    }


def _interval(source: Source, name: str, form: str) -> str:
    """'91.0% to 94.0%'; empty where the figures have no interval."""
    intervals = source.figures.get("intervals")
    ends = intervals.get(name) if isinstance(intervals, Mapping) else None
    numbers = (
        isinstance(ends, list | tuple) and len(ends) == 2 and all(isinstance(end, float) for end in ends)
    )
    return f"{ends[0]:{form}} to {ends[1]:{form}}" if numbers and ends is not None else ""


@register_section("confusion", "Which classes are confused")
def confusion(source: Source) -> Mapping[str, Any] | None:
    """The confusion matrix, where classes are known."""
    names = source.class_names
    try:
        matrix = np.array(source.figures.get("confusion") or [], dtype=np.int64)
    except (TypeError, ValueError, OverflowError):
        return None
    if len(names) < 2 or matrix.shape != (len(names),) * 2 or (matrix < 0).any():
        return None
    return {"picture": drawn(lambda path: draw_confusion(matrix, names, path))}


@register_section("reliability", "Probabilities that can be believed")
def reliability(source: Source) -> Mapping[str, Any] | None:
    """How often answers are right that are so sure, before and after calibration."""
    if source.answers is None or source.images is None or source.model is None:
        return None
    labels = source.images.labels
    if len(source.class_names) < 2 or not bool((labels >= 0).any()):
        return None
    alone = source.model.with_prior(source.answers.log_likelihoods).softmax(1)
    before, after = bins_of(alone, labels), bins_of(source.answers.posterior, labels)
    titles = "Bayes' rule as it stands", "calibrated on validation images"
    numbers = {
        name: (source.figure(f"uncalibrated.{name}"), source.figure(name))
        for name in ("confidence", "accuracy", "calibration_error", "log_loss")
    }
    return {
        "picture": drawn(lambda path: reliability_diagram(before, after, path, titles)),
        "temperature": source.model.calibration.temperature,
        "numbers": numbers if all(None not in pair for pair in numbers.values()) else None,
    }


@register_section("mistakes", "Where it was wrong, and most sure")
def mistakes(source: Source) -> Mapping[str, Any] | None:
    """The images that got a wrong name, the surest first."""
    if source.answers is None or source.images is None or not bool(source.images.known.any()):
        return None
    wrong = surest_mistakes(source.answers.posterior, source.images.labels).tolist()
    names, images, answers = source.class_names, source.images, source.answers
    entries = [
        {
            "png": _png(images.levels[index], images.shape),
            "true": names[int(images.labels[index])],
            "predicted": names[int(answers.predicted[index])],
            "probability": float(answers.probability[index]),
            "path": images.paths[index],
        }
        for index in wrong[:MOST_MISTAKES]
    ]
    return {"shown": entries, "wrong": len(wrong), "images": int(images.known.sum())}


def _png(image: Tensor, shape: ImageShape) -> bytes:
    buffer = BytesIO()
    Image.fromarray(preview(image[None], shape)[0]).save(buffer, "PNG")
    return buffer.getvalue()
