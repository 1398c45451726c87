"""`pb.report`: one page on a run or a model, to hand over."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any

import torch

from . import checkpoint
from .data import ImageSet, open_images
from .errors import UserError, check_path, check_whole
from .evaluating import held_out
from .folders import refuse_unwritable
from .journals import JOURNAL, read_rows
from .measure import baselines
from .measure.evaluation import measure
from .model import AutoregressiveImageModel
from .progress import warn
from .reports import Command, Comparison, Source, write_report
from .tasks.classify import Classification, class_log_likelihoods, from_log_likelihoods

MOST_IMAGES = 1000
LARGE = 2**24
"""Values of the training images from which on baselines are not fitted for a report."""


def report(
    run: str | Path | AutoregressiveImageModel,
    out: str | Path | None = None,
    *,
    images: int = MOST_IMAGES,
    data: str | Path | None = None,
    split: str | None = None,
    device: str = "cpu",
    seed: int = 0,
    overwrite: bool = False,
    progress: bool = False,
) -> Path:
    """Write one HTML page on a run's or a model's folder (or a model), and return its path.

    The model is measured on at most `images` held-out images: those of `data` and `split`, or of its training's data
    (test, else validation); 0 measures none. What is missing (data that are not here, a run that is not finished, a
    model without classes) is left out, and the page says so. `out` is `NAME-report.html` beside the folder
    when not given. Raises `UserError` where there is neither a run nor a model, and for an `out` that exists.
    """
    check_whole("the number of images", images, least=0)
    if not isinstance(run, AutoregressiveImageModel):
        check_path("the run or the model", run)
    path = Path(out) if out is not None else _default_out(run)
    if path.is_dir():
        raise UserError(f"{path} is a folder; a report is a file, such as {path / 'report.html'}")
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists already: choose another --out, or add --overwrite")
    refuse_unwritable(path)
    source = open_source(run, images, data, split, device, seed, progress)
    for note in source.notes if progress else ():
        warn(note)
    write_report(source, path)
    return path


def open_source(
    run: str | Path | AutoregressiveImageModel,
    images: int = MOST_IMAGES,
    data: str | Path | None = None,
    split: str | None = None,
    device: str = "cpu",
    seed: int = 0,
    progress: bool = False,
) -> Source:
    """Returns all that can be found out about a run or a model, for the sections of a report."""
    notes: list[str] = []
    folder = None if isinstance(run, AutoregressiveImageModel) else Path(run)
    journal = _journal(folder, notes)
    model = run if isinstance(run, AutoregressiveImageModel) else _model(run, device, journal, notes)
    description = model.description if model is not None else _described(folder)
    found = Measured()
    if model is not None and images:
        found = _measured(model, images, data, split, notes, progress)
    figures = found.figures or _recorded(folder, notes)
    return Source(
        title=_title(folder, description),
        lead=_lead(model),
        folder=folder,
        model=model,
        description=description,
        journal=journal,
        train=found.train,
        images=found.images,
        split=found.split,
        answers=found.answers,
        figures=figures,
        comparisons=found.comparisons,
        commands=_commands(folder, description, found.split),
        notes=notes,
        seed=seed,
    )


@dataclass(frozen=True)
class Measured:
    """What was found on held-out images."""

    train: ImageSet | None = None
    images: ImageSet | None = None
    split: str = ""
    answers: Classification | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()


def _default_out(run: str | Path | AutoregressiveImageModel) -> Path:
    if isinstance(run, AutoregressiveImageModel):
        return Path("report.html")
    folder = Path(run)
    return (
        folder.resolve().parent / f"{folder.resolve().name}-report.html"
        if folder.is_dir()
        else Path(f"{folder.name}-report.html")
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


def _model(
    run: str | Path, device: str, journal: Path | None, notes: list[str]
) -> AutoregressiveImageModel | None:
    """The model, if it can be loaded; `UserError` where there is no run either."""
    try:
        return checkpoint.load(run, device)
    except UserError as error:
        if journal is None and not (Path(run) / JOURNAL).is_file():
            raise
        notes.append(f"Whatever needs the model: {error}.")
        return None


def _described(folder: Path | None) -> Mapping[str, Any]:
    """What config.json tells of a model that cannot be loaded."""
    try:
        found = json.loads(((folder or Path()) / checkpoint.CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    description = found.get("description") if isinstance(found, dict) else None
    return description if isinstance(description, dict) else {}


def _recorded(folder: Path | None, notes: list[str]) -> Mapping[str, Any]:
    """The figures that an evaluation left in the folder, where none were taken now."""
    path = None if folder is None else folder / "metrics.json"
    if path is None or not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        notes.append(f"The figures: {path.name} cannot be read ({error}).")
        return {}
    return found if isinstance(found, dict) else {}


def _measured(
    model: AutoregressiveImageModel,
    most: int,
    data: str | Path | None,
    split: str | None,
    notes: list[str],
    progress: bool,
) -> Measured:
    """The model on held-out images, as far as they can be had."""
    found, name = _images(model, data, split, notes)
    train = _training_images(model) if data is None else None
    if found is None or not len(found):
        return Measured(train)
    if len(found) > most:
        notes.append(f"Of {len(found):,} {name} images {most:,}, evenly chosen, were measured.")
        found = found[torch.linspace(0, len(found) - 1, most).long()]
    try:
        nats = class_log_likelihoods(model, found.levels, progress=progress)
    except UserError as error:
        notes.append(f"All figures: {error}.")
        return Measured(train, found, name)
    metrics = measure(model, nats, found.labels)
    answers = from_log_likelihoods(model, nats) if len(model.classes) else None
    rows: list[Comparison] = []
    if train is not None and train.levels.numel() <= LARGE and metrics.bits_per_dim is not None:
        rows = [Comparison(**vars(row)) for row in baselines(train, found)]
        rows.sort(key=lambda row: -row.bits_per_dim)
        own = "each pixel given those before it" + (" and the class" if len(model.classes) else "")
        rows.append(Comparison("this model", own, metrics.bits_per_dim, metrics.accuracy, ours=True))
    return Measured(train, found, name, answers, metrics.as_dict(), tuple(rows))


def _images(
    model: AutoregressiveImageModel, data: str | Path | None, split: str | None, notes: list[str]
) -> tuple[ImageSet | None, str]:
    """Held-out images and the name of their split; those that the user names must be there."""
    if data is not None or split is not None:
        return held_out(model, data, split), split or ""
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


def _training_images(model: AutoregressiveImageModel) -> ImageSet | None:
    prepared = model.record.data
    if not prepared.source:
        return None
    try:
        return open_images(prepared.source, model.shape, prepared, model.classes, split="train")
    except (UserError, OSError):
        return None


def _title(folder: Path | None, description: Mapping[str, Any]) -> str:
    recipe = description.get("recipe")
    name = recipe.get("name") if isinstance(recipe, Mapping) else None
    return folder.resolve().name if folder is not None else str(name or "A model")


def _lead(model: AutoregressiveImageModel | None) -> str:
    if model is None:
        return "A training run, of which there is no model that can be loaded."
    tasks = "draws images, and classifies by asking which class makes an image most probable"
    if not len(model.classes):
        tasks = "draws images, and says how probable others are"
    return f"A model of how probable each image is, pixel by pixel. From that alone it {tasks}."


def _commands(folder: Path | None, description: Mapping[str, Any], split: str) -> list[Command]:
    """How to come to such a model again, and what to do with it."""
    if folder is None:
        return []
    place, found = quote(str(folder)), []
    tables = [description.get(name) for name in ("data", "training")]
    data, training = (table if isinstance(table, Mapping) else {} for table in tables)
    if data.get("source") and training:
        budget = (
            f" --minutes {training['minutes']:g}" if isinstance(training.get("minutes"), int | float) else ""
        )
        budget += f" --max-steps {training['max_steps']}" if training.get("max_steps") else ""
        seed = f" --seed {training['seed']}" if isinstance(training.get("seed"), int) else ""
        line = f"pixelbayes train {quote(str(data['source']))} --recipe {place}{budget}{seed} --out {place}-again"
        found.append(Command(line, "train such a model again"))
    among = f" --split {split}" if split else ""
    found += [
        Command(f"pixelbayes evaluate {place}{among}", "measure it again"),
        Command(f"pixelbayes generate {place} --per-class 25", "draw new images"),
        Command(f"pixelbayes classify {place} DATA --csv predictions.csv", "classify images of yours"),
        Command(f"pixelbayes report {place}", "write this page again"),
    ]
    return found
