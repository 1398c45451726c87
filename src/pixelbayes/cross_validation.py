"""k-fold evaluation: every image is judged by a model that was not trained on it. For sets of a few hundred images."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch
from torch import Tensor

from . import checkpoint
from .api import open_data, resolve, settings_for, train
from .data import Dataset, ImageSet
from .data.arrays import arrays_of, is_torch_set
from .data.held_out import name_print, recall_prints, remember_prints
from .distributed import Shard, my_shard
from .errors import UserError, check_given, check_whole
from .extensions import import_extensions
from .files import to_json, whole
from .folders import claim_folder, next_run, refuse_occupied
from .measure import Metrics, fit_calibration
from .measure.evaluation import judge, measure
from .model import AutoregressiveImageModel
from .pictures import confusion
from .planning import fewer_levels
from .products import Products
from .progress import say, warn
from .recipe import Recipe, from_dict, override
from .tasks.classify import Classification, class_log_likelihoods
from .training.pacing import check_budget

FIGURES = ("bits_per_dim", "accuracy", "balanced_accuracy", "macro_f1")


@dataclass(frozen=True)
class Judged:
    """What one model says about the images of the fold that it was not trained on."""

    model: AutoregressiveImageModel
    images: ImageSet
    nats: Tensor
    """log p(x | c) [N, K]; [N, 1] without classes."""


@dataclass(frozen=True)
class CrossValidation:
    """`pooled`: over all the images, each judged by the model of its own fold, and calibrated by the answers of the
    other models to their folds. `folds`: each model on its fold, calibrated on that same fold."""

    pooled: Metrics
    folds: tuple[Metrics, ...]

    def spread(self, figure: str) -> tuple[float, float] | None:
        """Mean and standard deviation of a figure over the folds; None where it was not measured."""
        values = [getattr(fold, figure) for fold in self.folds]
        return None if None in values else (fmean(values), stdev(values))

    def to_json(self, path: str | Path | None = None) -> str:
        """The numbers as JSON, also written to `path` if given."""
        spread = {name: self.spread(name) for name in FIGURES}
        table = {
            **self.pooled.as_dict(),
            "over_folds": {name: {"mean": s[0], "sd": s[1]} for name, s in spread.items() if s},
            "folds": [fold.as_dict() for fold in self.folds],
        }
        return to_json(table, path)


def cross_validate(
    data: Any,
    labels: Any = None,
    *,
    folds: int = 5,
    groups: Sequence[object] | None = None,
    recipe: "str | Path | Recipe | None" = None,
    out: str | Path | None = None,
    minutes: float | None = None,
    max_steps: int | None = None,
    seed: int | None = None,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
    imports: Iterable[str] = (),
    **overrides: Any,
) -> CrossValidation:
    """Train `folds` models, each on all folds but one, and judge each image by the model that has not seen it.

    The arguments are those of `train`; `minutes` and `max_steps` are of each model, and `groups`, a word for each image
    of an array, says what stays in one fold. Writes to `out` the models (fold-0, fold-1, ...), metrics.json,
    predictions.csv and confusion.png. With `resume`, finished models are kept and the unfinished one goes on. Raises
    UserError for whatever the user can mend.

    Args:
        data: as in `train`, but no `Dataset`, since the folds are cut from it.
        labels: a name or number for each image of an array.
        folds: how many, 2 or more.
        groups: a word for each image: those of a group stay in one fold.
        recipe: a name, a file or a `Recipe`; None: one is planned.
        out: the folder; runs/folds-001, counted up, when None.
        minutes: of each model.
        max_steps: of each model.
        seed: where weights, order and noise come from.
        device: "cpu", "cuda", "cuda:1", ...; "auto": a GPU if there is one.
        resume: go on with the evaluation in `out`.
        overwrite: replace what an earlier call wrote in `out`; no other file is touched.
        imports: Python modules with networks, distributions, strategies or objectives of your own.
        overrides: fields of the recipe.

    Returns:
        A `CrossValidation`: `.pooled`, the figures over all images, and `.folds`.

    Example:
        pb.cross_validate("photos/", folds=5, minutes=2).pooled.accuracy
    """
    check_given("the folds", folds)
    check_whole("the folds", folds, least=2)
    if isinstance(data, Dataset):
        raise UserError("k-fold evaluation cuts the data itself: give it the folder, the word or the arrays")
    check_budget(minutes, max_steps, seed)
    import_extensions(imports)
    shard, folder = my_shard(device), Path(out) if out is not None else next_run("folds")
    products = Products(folder, "folds")
    limits: dict[str, Any] = {"seed": seed, "minutes": minutes, "max_steps": max_steps}
    if shard.first:
        refuse_occupied(folder, overwrite or resume)
        products.refuse_foreign(FILES)
    source = FoldImages(data, labels, groups, folder if resume else None)
    if recipe is None:
        overrides |= source.levels(
            settings_for(None, {**overrides, "data.folds": folds, "data.fold": 0}), shard.first
        )
    judged = []
    for number in range(folds):
        fields = {**overrides, "data.folds": folds, "data.fold": number}
        dataset, fold_folder = source.open(settings_for(recipe, fields)), folder / f"fold-{number}"
        if shard.first:
            claim_folder(folder, overwrite or number > 0, resume)
            products.note(FILES)
            if number == 0 and not (resume and fold_folder.exists()):
                source.write(folder)
            say(f"fold {number} (of 0 to {folds - 1})")
        model = finished(fold_folder, dataset, recipe, fields, limits) if resume else None
        if model is None:
            again: dict[str, Any] = {"resume": resume and fold_folder.exists(), "overwrite": overwrite}
            model = train(dataset, recipe=recipe, out=fold_folder, device=device, **limits, **again, **fields)
        # Planned anew, by another measurement of the machine, the next could be another network.
        recipe = recipe if recipe is not None else recipe_of(model, fold_folder)
        judged.append(judge_fold(model.to(shard.device), dataset, shard))
    result = CrossValidation(pool(judged), tuple(measure(j.model, j.nats, j.images.labels) for j in judged))
    if shard.first:
        write(folder, judged, result)
        warn_of_others(folder, folds)
    return result


class FoldImages:
    """The images that are cut into folds: all of them, or, of an evaluation that goes on in `folder`, those that it was
    begun with, if all of these are still there."""

    def __init__(self, data: Any, labels: Any, groups: Sequence[object] | None, folder: Path | None) -> None:
        if is_torch_set(data) and labels is None:
            data, labels = arrays_of(data)
        self.data, self.labels, self.groups = data, labels, groups
        self.folder = folder
        self.names: list[str] = []
        self.begun_with: str | None = None

    def open(self, settings: Recipe) -> Dataset:
        """The data, cut as the settings say. Raises UserError where images that the folds were begun with are gone."""
        dataset = self._open(settings)
        if self.names:
            return dataset
        self.names = [
            path for images in (dataset.train, dataset.validation) if images for path in images.paths
        ]
        begun = read_begun(self.folder) if self.folder is not None else None
        now = frozenset(map(name_print, self.names))
        if self.folder is None or begun is None or begun == now:
            return dataset
        if gone := begun - now:
            raise UserError(
                f"{len(gone):,} of the {len(begun):,} images that the folds in {self.folder} were begun with are gone: "
                "put them back, or begin anew with another --out"
            )
        warn(
            f"{len(now) - len(begun):,} images of {dataset.name} came after the folds in {self.folder} were begun and "
            f"are left out: the folds go on with the {len(begun):,} that they were begun with (another --out takes all)"
        )
        self._leave_out(begun)
        return self._open(settings)

    def levels(self, settings: Recipe, speaks: bool) -> dict[str, int]:
        """The levels that a plan takes where fewer occur than the images seem to have, as an override: as `train` does
        with the same data."""
        if settings.data.levels is not None:
            return {}
        fewer = fewer_levels(self.open(settings), from_array=not isinstance(self.data, str | Path))
        if fewer is None:
            return {}
        if speaks:
            say(f"plan: {fewer.reason}")
        return {"data.levels": fewer.levels}

    def _leave_out(self, begun: frozenset[bytes]) -> None:
        if isinstance(self.data, str | Path):
            self.begun_with = remember_prints(begun)
            return
        count = len(begun)  # of arrays, what came later stands at the end
        self.data = self.data[:count]
        self.labels = None if self.labels is None else self.labels[:count]
        self.groups = None if self.groups is None else self.groups[:count]

    def _open(self, settings: Recipe) -> Dataset:
        return open_data(self.data, self.labels, settings, groups=self.groups, begun_with=self.begun_with)

    def write(self, folder: Path) -> None:
        """Remember in the folder what the folds are begun with."""
        with whole(folder / BEGUN) as temporary:
            names = remember_prints(map(name_print, self.names))
            temporary.write_text(
                json.dumps({"images": len(self.names), "names": names}) + "\n", encoding="utf-8"
            )


def read_begun(folder: Path) -> frozenset[bytes] | None:
    """The prints of the names that the folds in the folder were begun with; None where earlier versions began them.

    Raises UserError for a damaged file.
    """
    try:
        record = json.loads((folder / BEGUN).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / BEGUN} cannot be read: {error}") from error
    if not isinstance(record, dict) or not isinstance(record.get("names"), str):
        raise UserError(f"{folder / BEGUN} is no record of folds")
    return recall_prints(record["names"])


def warn_of_others(folder: Path, folds: int) -> None:
    """Say which models in the folder are of an earlier evaluation in more folds; nothing is deleted."""
    own = {f"fold-{number}" for number in range(folds)}
    others = sorted(other.name for other in folder.glob("fold-*") if other.name not in own)
    if others:
        warn(f"{', '.join(others)} in {folder} are of an earlier evaluation in more folds")


BEGUN = "folds.json"
"""The file of the images that the folds were begun with."""
FILES = ("metrics.json", "predictions.csv", "confusion.png", BEGUN)
"""What is written beside the folds' models."""

PARTS = ("network", "distribution", "fusion", "objective", "training", "augment")
"""Of a recipe, that make a model what it is."""


def finished(
    folder: Path,
    dataset: Dataset,
    recipe: "str | Path | Recipe | None",
    fields: dict[str, Any],
    limits: dict[str, Any],
) -> AutoregressiveImageModel | None:
    """The model of a fold whose run came to its end; None where there is none yet.

    Raises UserError for one of other data or folds, and where another recipe, other fields of it, or other limits are
    asked for: what is pooled must be alike.
    """
    if not (folder / checkpoint.CONFIG).exists():
        return None
    model = checkpoint.load(folder)
    training = model.record.training
    if not training.finished:
        return None
    if training.data != dataset.fingerprint():
        raise UserError(f"{folder} was trained on other data or other folds: begin anew with another --out")
    known = recipe_of(model, folder)
    asked = override(known if recipe is None else resolve(recipe, {}), fields)
    for part in PARTS:
        if getattr(known, part) != getattr(asked, part):
            raise UserError(f"{folder} was trained by another recipe ({part}): begin anew with another --out")
    for name, value in limits.items():
        if value is not None and value != getattr(training, name):
            raise UserError(
                f"{folder} was trained with {name} {getattr(training, name)}, not {value}: "
                "begin anew with another --out"
            )
    return model


def recipe_of(model: AutoregressiveImageModel, folder: Path) -> Recipe:
    """The recipe that the model in `place` was trained by."""
    return from_dict(model.record.recipe or {"name": "own"}, f"the recipe of {folder}")


def judge_fold(model: AutoregressiveImageModel, dataset: Dataset, shard: Shard) -> Judged:
    """The model's answers to the fold that was its validation set."""
    images = dataset.validation
    if images is None or not len(images):
        raise UserError(f"a fold of {dataset.name} has no images")
    return Judged(
        model, images, class_log_likelihoods(model, images.levels, progress=shard.first, shard=shard)
    )


def pool(judged: list[Judged]) -> Metrics:
    """All the images together."""
    model, nats, labels = judged[0].model, torch.cat([j.nats for j in judged]), pooled_labels(judged)
    return (
        judge(model, nats, labels, posteriors(judged)) if len(model.classes) else measure(model, nats, labels)
    )


def pooled_labels(judged: list[Judged]) -> Tensor:
    return torch.cat([j.images.labels for j in judged])


def posteriors(judged: list[Judged]) -> Tensor:
    """p(c | x) [N, K] of all the images, calibrated by the answers of the other models to their own folds."""
    parts = []
    for own in judged:
        others = [j for j in judged if j is not own]
        joint = torch.cat([j.model.with_prior(j.nats) for j in others])
        calibration = fit_calibration(joint, pooled_labels(others))
        parts.append(calibration.posterior(own.nats, own.model.log_prior()))
    return torch.cat(parts)


def write(folder: Path, judged: list[Judged], result: CrossValidation) -> None:
    """metrics.json, and where there are classes predictions.csv and confusion.png."""
    result.to_json(folder / "metrics.json")
    model = judged[0].model
    if not len(model.classes):
        return
    answers = Classification(torch.cat([j.nats for j in judged]), posteriors(judged), model.classes)
    paths = [path for j in judged for path in j.images.paths]
    answers.write_csv(folder / "predictions.csv", paths, pooled_labels(judged))
    if result.pooled.confusion is not None:
        confusion(result.pooled.confusion, result.pooled.classes, folder / "confusion.png")
