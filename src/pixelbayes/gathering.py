"""What can be found out about a run or a model, for the sections of its page."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote
from typing import Any

import torch

from . import checkpoint
from .data import ImageSet, open_images
from .errors import UserError
from .evaluating import held_out
from .examining import Evaluation, examine, training_images
from .journals import JOURNAL, read_rows
from .measure import baselines
from .model import AutoregressiveImageModel
from .provenance import provenance
from .records import ModelRecord
from .reports import Command, Comparison, Source, Stored, evaluations_of, stored_in
from .tasks.detect.detector import fingerprint

MOST_IMAGES = 1000
LARGE = 2**24
"""Values of the training images from which on baselines are not fitted for a page."""


@dataclass(frozen=True)
class Asked:
    """What a page is to be measured on: `images` of `data` and `split` at most, 0 for none."""

    images: int = MOST_IMAGES
    data: str | Path | None = None
    split: str | None = None
    device: str = "cpu"
    seed: int = 0
    progress: bool = False
    evaluations: Sequence[Path] | None = None
    """Folders of evaluations to show; those that are found beside the model when None."""


@dataclass(frozen=True)
class Beside:
    """What a page shows beside an evaluation."""

    train: ImageSet | None = None
    split: str = ""
    notes: Sequence[str] = ()
    stored: Stored = field(default_factory=Stored)
    seed: int = 0


def open_source(run: str | Path | AutoregressiveImageModel, asked: Asked) -> Source:
    """Returns all that can be found out about a run or a model.

    Raises `UserError` where there is neither, and for images that are named and are not there.
    """
    notes: list[str] = []
    folder = None if isinstance(run, AutoregressiveImageModel) else Path(run)
    model = run if isinstance(run, AutoregressiveImageModel) else _model(run, asked.device, notes)
    if model is None:
        return _without_model(folder or Path(), notes)
    evaluation, split, train = None, "", None
    if asked.images:
        train = training_images(model)[0] if asked.data is None else None
        images, split = _images(model, asked, notes)
        evaluation = _examined(model, images, split, asked, notes)
    stored = stored_in(_evaluations(folder, model, asked))
    return source_of(model, folder, evaluation, Beside(train, split, notes, stored, asked.seed))


def source_of(
    model: AutoregressiveImageModel, folder: Path | None, evaluation: Evaluation | None, beside: Beside
) -> Source:
    """Returns the source of a page on a model whose evaluation is at hand; `folder` is its run's, if it has one."""
    notes = list(beside.notes)
    known = evaluation is not None
    figures: Mapping[str, Any] = (
        evaluation.as_dict() if evaluation is not None else _recorded(folder, notes, model)
    )
    stored = beside.stored
    if evaluation is not None and evaluation.rivals:
        stored = Stored(
            stored.generation, stored.against, [each.as_dict() for each in evaluation.rivals], stored.pictures
        )
    return Source(
        title=_title(folder, model.record),
        lead=_lead(model),
        folder=folder,
        model=model,
        record=model.record,
        journal=_journal(folder, notes),
        train=beside.train,
        images=evaluation.images if evaluation is not None else None,
        split=beside.split,
        answers=evaluation.answers if evaluation is not None else None,
        figures=figures,
        comparisons=comparisons(model, evaluation, beside.train) if evaluation is not None else (),
        remarks=evaluation.notes() if evaluation is not None else (),
        stored=stored,
        commands=commands(folder, model.record, beside.split if known else ""),
        notes=notes,
        seed=beside.seed,
    )


def comparisons(
    model: AutoregressiveImageModel, evaluation: Evaluation, train: ImageSet | None
) -> list[Comparison]:
    """Returns simple models' bits/dim on the same images, the worst first, and the model's at the end."""
    metrics = evaluation.metrics
    if train is None or train.levels.numel() > LARGE or metrics.bits_per_dim is None:
        return []
    rows = [Comparison(**vars(row)) for row in baselines(train, evaluation.images)]
    rows.sort(key=lambda row: -row.bits_per_dim)
    own = "each pixel given those before it" + (" and the class" if len(model.classes) else "")
    return [*rows, Comparison("this model", own, metrics.bits_per_dim, metrics.accuracy, ours=True)]


def commands(folder: Path | None, record: ModelRecord, split: str = "") -> list[Command]:
    """Returns how to come to such a model again, and what to do with it."""
    if folder is None:
        return []
    quoted, entries = quote(str(folder)), []
    data, training = record.data, record.training
    if data.source and training.steps:
        budget = f" --minutes {training.minutes:g}" if training.minutes is not None else ""
        budget += f" --max-steps {training.max_steps}" if training.max_steps else ""
        again = quote(f"{folder}-again")
        options = f"--recipe {quoted}{budget} --seed {training.seed} --out {again}"
        line = f"pixelbayes train {quote(data.source)} {options}"
        entries.append(Command(line, "train such a model again"))
    among = f" --split {split}" if split else ""
    entries += [
        Command(f"pixelbayes evaluate {quoted}{among}", "measure it again"),
        Command(f"pixelbayes generate {quoted} --per-class 25", "draw new images"),
        Command(f"pixelbayes classify {quoted} DATA --csv predictions.csv", "classify images of yours"),
        Command(f"pixelbayes report {quoted}", "write this page again"),
    ]
    return entries


def evenly(images: ImageSet, most: int) -> ImageSet:
    """Returns `most` of the images at most, evenly chosen."""
    if len(images) <= most:
        return images
    return images[torch.linspace(0, len(images) - 1, most).long()]


def _evaluations(folder: Path | None, model: AutoregressiveImageModel, asked: Asked) -> Sequence[Path]:
    if asked.evaluations is not None:
        return asked.evaluations
    return evaluations_of(folder, fingerprint(model)) if folder is not None and folder.is_dir() else ()


def _without_model(folder: Path, notes: list[str]) -> Source:
    """The source of a run whose model cannot be loaded."""
    record, journal = _recorded_by(folder), _journal(folder, notes)
    return Source(
        title=_title(folder, record),
        lead="A training run, of which there is no model that can be loaded.",
        folder=folder,
        record=record,
        journal=journal,
        figures=_recorded(folder, notes),
        commands=commands(folder, record),
        notes=notes,
    )


def _journal(folder: Path | None, notes: list[str]) -> Path | None:
    """The journal, if it has a row."""
    path = None if folder is None else folder / JOURNAL
    if path is None or not path.is_file():
        return None
    try:
        return path if read_rows(path) else None
    except (OSError, csv.Error) as error:
        notes.append(f"The training curves: {path.name} cannot be read ({error}).")
        return None


def _model(run: str | Path, device: str, notes: list[str]) -> AutoregressiveImageModel | None:
    """The model, if it can be loaded; `UserError` where there is no run either."""
    try:
        return checkpoint.load(run, device)
    except UserError as error:
        if not (Path(run) / JOURNAL).is_file():
            raise
        notes.append(f"Whatever needs the model: {error}.")
        return None


def _recorded_by(folder: Path) -> ModelRecord:
    """What config.json tells of a model that cannot be loaded."""
    try:
        return ModelRecord.from_dict(checkpoint.read_config(folder)["description"])
    except (UserError, KeyError):
        return ModelRecord()


def _recorded(
    folder: Path | None, notes: list[str], model: AutoregressiveImageModel | None = None
) -> Mapping[str, Any]:
    """The figures that an evaluation left in the folder, where none were taken now; those of other weights are none."""
    path = None if folder is None else folder / "metrics.json"
    if path is None or not path.is_file():
        return {}
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        notes.append(f"The figures: {path.name} cannot be read ({error}).")
        return {}
    if not isinstance(table, dict):
        return {}
    others = model is not None and table.get("weights", "") not in ("", fingerprint(model))
    return {} if others else table


def _examined(
    model: AutoregressiveImageModel, images: ImageSet | None, split: str, asked: Asked, notes: list[str]
) -> Evaluation | None:
    """The model on held-out images, as far as they can be had."""
    if images is None or not len(images):
        return None
    some = evenly(images, asked.images)
    if len(some) < len(images):
        notes.append(f"Of {len(images):,} {split} images {len(some):,}, evenly chosen, were measured.")
    try:
        evaluation = examine(model, some, progress=asked.progress)
        assert evaluation is not None
        # A part of the images that chose the weights is not known by itself.
        return replace(evaluation, provenance=provenance(model, images))
    except UserError as error:
        notes.append(f"All figures: {error}.")
        return None


def _images(model: AutoregressiveImageModel, asked: Asked, notes: list[str]) -> tuple[ImageSet | None, str]:
    """Held-out images and the name of their split; those that the user names must be there."""
    if asked.data is not None or asked.split is not None:
        return held_out(model, asked.data, asked.split), asked.split or ""
    prepared = model.record.data
    source = prepared.source
    if not source:
        notes.append(
            "All figures: the model does not know which data it was trained on; name some with --data."
        )
        return None, ""
    trained_on = model.record.training.trained_on_validation
    reason = ""
    for name in ("test",) if trained_on else ("test", "validation"):
        try:
            return open_images(source, model.shape, prepared, model.classes, split=name), name
        except (UserError, OSError) as error:
            reason = str(error)
    notes.append(f"All figures: there are no held-out images ({reason}).")
    return None, ""


def _title(folder: Path | None, record: ModelRecord) -> str:
    return folder.resolve().name if folder is not None else record.recipe_name or "A model"


def _lead(model: AutoregressiveImageModel) -> str:
    tasks = "draws images, and classifies by asking which class makes an image most probable"
    if not len(model.classes):
        tasks = "draws images, and says how probable others are"
    return f"A model of how probable each image is, pixel by pixel. From that alone it {tasks}."
