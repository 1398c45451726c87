"""What a model is: its main figures, its data, its parts and its training."""

from collections.abc import Mapping
from typing import Any

import tomli_w
import torch

from ..data import ImageSet
from ..pictures import sheet
from ..progress import spell_seconds
from ..records import TrainingRecord
from .sections import register_section
from .source import Source, drawn

MOST_CLASSES = 20  # on the sheet of examples
EXAMPLES = 8  # of each class
BUSY = 0.75  # processes for each core, from which on the machine was a shared one


@register_section("glance")
def glance(source: Source) -> Mapping[str, Any] | None:
    """The few large numbers at the top."""
    entries = []
    on = f"on {source.measured}" if source.measured else ""
    accuracy, bits = source.figure("accuracy"), source.figure("bits_per_dim")
    bits = source.figure("marginal_bits_per_dim") if bits is None else bits
    if accuracy is not None:
        entries.append((f"{accuracy:.1%}", f"accuracy {on}"))
    if bits is not None:
        entries.append((f"{bits:.2f}", f"bits per dimension {on}"))
    if source.model is not None:
        entries.append((f"{source.model.num_parameters:,}", "parameters"))
    if source.record.training.seconds > 0:
        entries.append((spell_seconds(source.record.training.seconds), "of training"))
    return {"figures": entries} if entries else None


@register_section("data", "The images")
def data(source: Source) -> Mapping[str, Any] | None:
    """Where they come from, how many there are, and some of them."""
    prepared, rows = source.record.data, []
    if prepared.source:
        rows.append(("data", prepared.source))
    if source.model is not None:
        rows.append(("as the model sees them", str(source.model.shape)))
        if len(source.model.classes):
            rows.append(("classes", _names(source.model.classes.names)))
    if prepared.original:
        rows.append(("in the files", prepared.original))
    for name, images in (("train", source.train), (source.split or "measured", source.images)):
        if images is not None:
            rows.append((f"{name} images", _counts(images)))
    if not rows and source.train is None:
        return None
    examples = source.train if source.train is not None else source.images
    return {"rows": rows, "examples": None if examples is None or not len(examples) else _sheet(examples)}


def _names(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - MOST_CLASSES} more" if len(names) > MOST_CLASSES else ""
    return f"{len(names)}: {', '.join(names[:MOST_CLASSES])}{more}"


def _counts(images: ImageSet) -> str:
    counts = images.counts() if len(images.classes) else []
    if not counts or len(counts) > MOST_CLASSES:
        return f"{len(images):,}"
    each = ", ".join(f"{name} {count:,}" for name, count in zip(images.classes, counts, strict=True))
    return f"{len(images):,} ({each})"


def _sheet(images: ImageSet) -> bytes:
    """A row of examples for each class; of images without classes, some."""
    if not len(images.classes) or not bool(images.known.any()):
        some = images[: EXAMPLES * 4]
        return drawn(lambda path: sheet(some.levels, images.shape, path, columns=EXAMPLES))
    rows, names = [], []
    for index in range(min(MOST_CLASSES, len(images.classes))):
        own = (images.labels == index).nonzero().flatten()[:EXAMPLES]
        if len(own):
            rows.append(own.repeat(-(-EXAMPLES // len(own)))[:EXAMPLES])  # few are shown again
            names.append(images.classes[index])
    levels = images[torch.cat(rows)].levels
    return drawn(lambda path: sheet(levels, images.shape, path, rows=names))


@register_section("model", "What was trained")
def model(source: Source) -> Mapping[str, Any] | None:
    """Network, distribution, labels, training; the recipe in full."""
    rows, training = [], source.record.training
    if source.model is not None:
        config = source.model.config
        settings = ", ".join(f"{name} {value}" for name, value in vars(config.network).items())
        rows += [
            ("network", f"{type(config.network).__name__.removesuffix('Config')}: {settings}"),
            ("distribution of a pixel", str(config.distribution)),
            ("labels enter by", config.fusion.strategy if config.classes else "the model has no classes"),
            ("calibration", f"temperature {source.model.calibration.temperature:.2f}"),
        ]
    if training.steps:
        rows.append(("training", _training(training)))
        rows.append(("weights kept", f"of step {training.step}, the best on validation"))
        if not training.finished:
            rows.append(("state", "the training has not come to its end"))
    recipe = _without_none(source.record.recipe)
    try:
        text = tomli_w.dumps(recipe) if recipe else ""
    except (TypeError, ValueError):  # a config.json may hold anything
        text = ""
    return {"rows": rows, "recipe": text} if rows or text else None


def _training(training: TrainingRecord) -> str:
    spent = f"{training.epochs:.1f} epochs in {spell_seconds(training.seconds)} on {training.device or 'cpu'}"
    load = training.load
    shared = (
        "" if load is None or load < BUSY else f", on a shared machine ({load:.1f} processes for each core)"
    )
    return f"{training.steps} steps, {spent}, seed {training.seed}{shared}"


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    """TOML has no null."""
    return {
        str(name): _without_none(value) if isinstance(value, Mapping) else value
        for name, value in table.items()
        if value is not None
    }
