"""`pb.report`: one page on a run, a model or a study, to hand over; and what a run and an evaluation leave of it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from .data import ImageSet
from .errors import UserError, check_path, check_whole
from .evaluating import held_out
from .examining import FILES, Evaluation, examine, training_images
from .folders import refuse_unwritable
from .gathering import MOST_IMAGES, Asked, Beside, evenly, open_source, source_of
from .model import AutoregressiveImageModel
from .products import Products
from .progress import warn
from .provenance import provenance
from .records import TrainingRecord
from .reports import Source, stored_in, write_report
from .studying.page import is_study, study_source

PAGE = "report.html"
LEFT = (*(name for name in FILES if name != "seen.png"), PAGE)
"""What a finished run leaves in its folder beside the model, its curves and its samples."""
SHARE = 0.1
"""Of the time of the training that judging its validation images may take."""
LEAST, MOST = 200, 5_000
"""Validation images that are judged at the end of a run, if there are so many."""
SCORED = 3
"""Images are scored under one class about so many times as fast as they are trained on."""


def report(
    run: str | Path | AutoregressiveImageModel,
    out: str | Path | None = None,
    *,
    images: int = MOST_IMAGES,
    data: str | Path | None = None,
    split: str | None = None,
    evaluations: Iterable[str | Path] | None = None,
    device: str = "cpu",
    seed: int = 0,
    overwrite: bool = False,
    progress: bool = False,
) -> Path:
    """Write one HTML page on a run, a model or a study (its folder or its study.csv), and return its path.

    The model is measured on at most `images` held-out images: those of `data` and `split`, or of its training's data
    (test, else validation); 0 measures none. Samples beside real images, a CNN and simple classifiers beside the model
    are shown where `pixelbayes evaluate` has measured them: in `evaluations`, or (None) in those of these weights that
    lie beside the model. What is missing (data that are not here, a run that is not finished, a model without classes)
    is left out, and the page says so. `out` is `NAME-report.html` beside the folder when not given.
    Raises `UserError` where there is no run, model or study, and for an `out` that exists.

    Args:
        run: a folder, a ready model's name, or a model.
        out: the page.
        images: held-out images that are measured at most; 0: none.
        data: the images to measure on; None: those of the training.
        split: train, validation or test.
        evaluations: folders that `pixelbayes evaluate` wrote.
        device: "cpu", "cuda", "cuda:1", ...; "auto": a GPU if there is one.
        seed: of samples that are drawn for the page.
        overwrite: replace the page if it exists.
        progress: show how far it is.

    Example:
        pb.report("runs/photos-001", "photos.html")
    """
    check_whole("the number of images", images, least=0)
    if not isinstance(run, AutoregressiveImageModel):
        check_path("the run, the model or the study", run)
    path = Path(out) if out is not None else _default_out(run)
    if path.is_dir():
        raise UserError(f"{path} is a folder; a report is a file, such as {path / PAGE}")
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists already: choose another --out, or add --overwrite")
    refuse_unwritable(path)
    if not isinstance(run, AutoregressiveImageModel) and is_study(run):
        source = study_source(run)
    else:
        folders = None if evaluations is None else _folders(evaluations)
        source = open_source(run, Asked(images, data, split, device, seed, progress, folders))
    for note in source.notes if progress else ():
        warn(note)
    write_report(source, path)
    return path


def _default_out(run: str | Path | AutoregressiveImageModel) -> Path:
    if isinstance(run, AutoregressiveImageModel):
        return Path("report.html")
    source = Path(run).resolve().parent if Path(run).is_file() else Path(run)
    if not source.is_dir():
        return Path(f"{source.name}-report.html")
    return source.resolve().parent / f"{source.resolve().name}-report.html"


def _folders(given: Iterable[str | Path]) -> Sequence[Path]:
    """Folders of evaluations that the user names must be some."""
    folders = [Path(folder) for folder in given]
    for folder in folders:
        if not any((folder / name).is_file() for name in ("metrics.json", "generation.json", "against.json")):
            raise UserError(f"{folder} holds no evaluation (metrics.json, generation.json or against.json)")
    return folders


def write_page(products: Products, source: Source) -> str:
    """Write report.html among a command's products; returns its name."""
    with products.new(PAGE) as path:
        write_report(source, path)
    return PAGE


def page_of_evaluation(
    model: AutoregressiveImageModel,
    folder: Path | None,
    evaluation: Evaluation,
    train: ImageSet | None,
    split: str | None,
    products: Products,
) -> str:
    """Write the page of an evaluation among its other files: what it found, and what else is known of the model."""
    beside = Beside(train, split or "", stored=stored_in([products.folder]))
    return write_page(products, source_of(model, folder, evaluation, beside))


def hand_over(model: AutoregressiveImageModel, out: Path, progress: bool = True) -> list[str]:
    """Judge a finished run's validation images, and write `LEFT` into its folder; returns the names of the files.

    Of many images a part is judged, within a tenth of the training's time. Without a validation set there is the page
    alone. Raises UserError where files of that name lie there that no such command wrote.
    """
    products = Products(out, "evaluation")
    products.refuse_foreign(LEFT)
    notes: list[str] = []
    training = model.record.training
    evaluation, written = None, []
    train, _ = training_images(model)
    if training.validation is None or training.trained_on_validation:
        notes.append("All figures: the run has no validation images of its own.")
    else:
        every = held_out(model, None, "validation")
        some = evenly(every, affordable(training, max(1, len(model.classes))))
        if len(some) < len(every):
            notes.append(
                f"Of {len(every):,} validation images {len(some):,}, evenly chosen, were judged, within a tenth of the "
                "time of the training: pixelbayes evaluate judges all."
            )
        evaluation = examine(model, some, progress=progress)
        assert evaluation is not None
        evaluation = replace(
            evaluation, provenance=provenance(model, every)
        )  # a part of them chose the weights, too
        written = evaluation.write(products)
    source = source_of(
        model, out, evaluation, Beside(train, "validation", notes, stored_in([out]), training.seed)
    )
    written.append(write_page(products, source))
    products.finish()
    return written


def affordable(training: TrainingRecord, classes: int) -> int:
    """How many images can be judged under all classes within `SHARE` of the time of a training.

    >>> affordable(TrainingRecord(images=1000, epochs=10.0), 4)
    750
    """
    pairs = SHARE * SCORED * training.epochs * training.images
    return max(LEAST, min(MOST, int(pairs / classes)))
