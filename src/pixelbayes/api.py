"""What the command line and Python share: recipes, data and training put together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Any

from . import checkpoint
from .data import (
    DataConfig,
    Dataset,
    canonical,
    from_arrays,
    open_dataset,
)
from .data.arrays import arrays_of, is_torch_set
from .distributed import is_first, pick_device
from .distributions import Bernoulli, Categorical
from .errors import UserError, check_path
from .extensions import extension_hint, import_extensions
from .folders import refuse_occupied
from .labels import Labels
from .levels import ImageShape
from .model import AutoregressiveImageModel, build
from .model_config import ModelConfig, from_spec
from .plain import from_plain
from .planning import fewer_levels, plan
from .progress import say, warn
from .recipe import Recipe, from_dict, load_recipe, override
from .records import DataRecord, ModelRecord
from .training import train as run_training
from .training.pacing import check_budget
from .training.run_state import RunState
from .training.state_files import load_state, refuse_foreign

FINE_TUNING_RATE = 0.2
"""Of the learning rate that a model was trained with, where fine-tuning is given none."""


def create(
    recipe: "str | Path | Recipe", classes: Iterable[str] | None = None, **overrides: Any
) -> AutoregressiveImageModel:
    """An untrained model; no data are needed, since a recipe knows the shape and the classes of its data set.

    `overrides` are fields of the recipe: `network={"filters": 8}`, `filters=8`, or `**{"network.filters": 8}`.
    Raises UserError for an unknown recipe, field or value.

    Args:
        recipe: a recipe's name, file or value.
        classes: names of the classes; None: the recipe's.
        overrides: fields of the recipe.

    Returns:
        An untrained model, in evaluation mode.

    >>> model = create("digits", filters=4)
    >>> len(model.classes), model.shape.levels
    (10, 17)
    """
    chosen = resolve(recipe, overrides)
    if chosen.shape is None:
        raise UserError(
            f"the recipe {chosen.name} leaves the images' shape to the data: set data.size, data.channels"
        )
    names = chosen.classes if classes is None else _class_names(classes)
    model = build(chosen.shape, Labels(names), chosen.network, chosen.distribution, chosen.fusion)
    model.record = ModelRecord(recipe=chosen.to_dict())
    return model.eval()


def _class_names(classes: object) -> tuple[str, ...]:
    if isinstance(classes, str) or not isinstance(classes, Iterable):
        raise UserError(f"classes are a list of names, not {classes!r}")
    names = tuple(classes)
    for name in names:
        if isinstance(name, bool) or not isinstance(name, str | Integral):
            raise UserError(f"the name of a class is text, not {name!r}")
    return tuple(str(name) for name in names)


def resolve(recipe: "str | Path | Recipe", overrides: Mapping[str, Any]) -> Recipe:
    """A recipe from its name, file or value, with some fields changed (see `recipe.override`)."""
    base = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    return override(base, overrides) if overrides else base


def train(
    data: Any,
    labels: Any = None,
    *,
    groups: Sequence[object] | None = None,
    recipe: "str | Path | Recipe | None" = None,
    out: str | Path | None = None,
    minutes: float | None = None,
    max_steps: int | None = None,
    seed: int | None = None,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
    start: str | Path | AutoregressiveImageModel | None = None,
    imports: Iterable[str] = (),
    **overrides: Any,
) -> AutoregressiveImageModel:
    """Train on `data`: a word as on the command line; arrays `[N, H, W]`, `[N, H, W, C]` or `[N, C, H, W]`, with a name
    or a number for each image in `labels`; or a torch `Dataset` or `DataLoader` of (image, label).

    Without a recipe, network and schedule are planned from the data, the device and the minutes. `start` is a
    model to begin with (fine-tuning). `groups`, a word for each image of an array, says which must not be split
    between training and validation. The run's folder `out` is itself the model, which is returned.
    Raises UserError for whatever the user can mend.

    Args:
        data: see above.
        labels: a name or number for each image of an array.
        groups: see above.
        recipe: a name, a file or a `Recipe`; None: one is planned.
        out: the run's folder; runs/NAME-001, counted up, when None.
        minutes: a budget that the schedule spans, validation included.
        max_steps: stop after so many; the schedule does not change.
        seed: where weights, order and noise come from.
        device: "cpu", "cuda", "cuda:1", ...; "auto": a GPU if there is one.
        resume: go on with the run in `out`.
        overwrite: begin anew in a folder that is not empty.
        start: a model to begin with.
        imports: Python modules with networks, distributions, strategies or objectives of your own.
        overrides: fields of the recipe: `filters=64`, `**{"training.batch": 32}`.

    Returns:
        The model, its best averaged weights, calibrated on the validation images.

    Example:
        pb.train("photos/", minutes=10).classes.names
    """
    _refuse_all_folds(overrides)
    check_budget(minutes, max_steps, seed)
    pick_device(device)
    _check_folder(out, resume, overwrite)  # before the images are read
    import_extensions(imports)
    origin = checkpoint.load(start) if isinstance(start, str | Path) else start
    saved = load_state(Path(out)) if resume and out is not None else None
    begun = saved.state if saved is not None else None
    base = _base(recipe, origin, begun, out, data)
    settings = override(base or Recipe(name="own"), overrides)
    if recipe is None or _is_models(recipe):
        _refuse_code(settings, base, imports)
    known = _known_before(origin, begun)
    dataset = open_data(data, labels, settings, origin or _as_begun(begun), groups, known=known)
    if base is None:
        dataset, settings = _with_fewer_levels(dataset, data, labels, settings, groups)
    _tell(dataset)
    if base is None:
        settings = _planned(dataset, settings.data, device, minutes, overrides)
    elif origin is not None:
        settings = _with_parts_of(origin, settings, base)
    _tell_independence(settings, dataset.shape)
    return run_training(
        dataset,
        settings,
        out,
        minutes=minutes,
        max_steps=max_steps,
        seed=settings.seed if seed is None and base is not None and saved is None else seed,
        device=device,
        resume=saved or resume,
        overwrite=overwrite,
        start=origin,
    )


def _refuse_all_folds(overrides: Mapping[str, Any]) -> None:
    if "folds" in overrides and "fold" not in overrides:
        raise UserError(
            "train makes one model: pb.cross_validate(data, labels, folds=...) judges every image by a model that has "
            "not seen it (with fold=0, 1, ... beside folds, train makes the model of that fold alone)"
        )


def _check_folder(out: str | Path | None, resume: bool, overwrite: bool) -> None:
    """UserError where the run may not write, or has nothing to go on from."""
    if out is None:
        if resume:
            raise UserError("name the run to resume with --out")
        return
    check_path("the run's folder", out)
    refuse_occupied(Path(out), overwrite or resume)
    if not resume:
        refuse_foreign(Path(out))


def _base(
    recipe: "str | Path | Recipe | None",
    origin: AutoregressiveImageModel | None,
    begun: RunState | None,
    out: str | Path | None,
    data: Any,
) -> Recipe | None:
    """The recipe that was asked for; else that of the run to resume, or of the model to start from; None: plan one."""
    if recipe is not None:
        return resolve(recipe, {})
    if begun is not None and out is not None:
        try:
            return from_dict(begun.recipe, f"the recipe of {out}")
        except UserError as error:
            known = Path(out) / checkpoint.CONFIG
            config = checkpoint.read_config(known.parent) if known.is_file() else None
            raise UserError(f"{error}{extension_hint(config)}") from None
    return _for_fine_tuning(origin, data) if origin is not None else None


def _with_fewer_levels(
    dataset: Dataset, data: Any, labels: Any, settings: Recipe, groups: Sequence[object] | None
) -> tuple[Dataset, Recipe]:
    """The same images in as many levels as occur, where the plan chooses them; what is taken is said, and why."""
    fewer = fewer_levels(dataset, from_array=not isinstance(data, str | Path | Dataset))
    if fewer is None or settings.data.levels is not None:
        return dataset, settings
    if isinstance(data, Dataset):
        if is_first():
            warn(f"{fewer.reason}; open the data with levels={fewer.levels} for that")
        return dataset, settings
    if is_first():
        say(f"plan: {fewer.reason}")
    settings = override(settings, {"data.levels": fewer.levels})
    return open_data(data, labels, settings, groups=groups), settings


def _as_begun(begun: RunState | None) -> ModelConfig | None:
    """What the model of the run that goes on is built from: its images stay as they were prepared."""
    return from_spec(begun.model) if begun is not None and begun.model else None


def _is_models(recipe: "str | Path | Recipe") -> bool:
    """Whether the recipe is read from a model's folder, and not written or chosen by the user."""
    return isinstance(recipe, str | Path) and (Path(recipe).is_dir() or Path(recipe).suffix == ".json")


def _refuse_code(settings: Recipe, stored: Recipe | None, imports: Iterable[str]) -> None:
    """A function that a model or a run names is code of others: UserError unless it is asked for again."""
    custom = settings.augment.custom
    if not custom or stored is None or custom != stored.augment.custom:  # it was named by the user
        return
    module = custom.partition(":")[0]
    if module in tuple(imports):
        return
    raise UserError(
        f"the model's augmentation '{custom}' is code: ask for it with --import {module}, if you trust it"
    )


def _for_fine_tuning(origin: AutoregressiveImageModel, data: Any) -> Recipe:
    """The model's own recipe, at a lower learning rate; what belongs to its run alone is left behind, and what belongs
    to its data alone (groups, folds, names), too, unless the data are the same: their validation images stay unseen."""
    known = from_dict(origin.record.recipe or {"name": "own"}, "the model's recipe")
    config = origin.config
    parts = replace(known, network=config.network, distribution=config.distribution, fusion=config.fusion)
    settings = known.data
    if not isinstance(data, str | Path) or canonical(data) != origin.record.data.source:
        settings = replace(
            known.data,
            class_names=None,
            group_by=None,
            folds=0,
            fold=0,
            root=None,
            attributes=None,
            skip_bad_images=False,
        )
    training = replace(known.training, focus=(), focus_share=0.9, include_validation=False)
    parts = replace(parts, data=settings, training=training)
    return override(parts, {"training.learning_rate": known.training.learning_rate * FINE_TUNING_RATE})


def _with_parts_of(origin: AutoregressiveImageModel, settings: Recipe, base: Recipe) -> Recipe:
    """A model that is trained on keeps its parts, all but the dropout: UserError where others were set by hand."""
    for part in ("network", "distribution", "fusion"):
        own, asked = getattr(origin.config, part), getattr(settings, part)
        if _alike(own, asked):
            continue
        if asked != getattr(base, part):
            raise UserError(
                f"a model to start from keeps its {part}, here {own}: only network.dropout can be changed"
            )
        if is_first():
            warn(f"the {part} is that of the model to start from; the recipe's is not taken")
        settings = replace(settings, **{part: own})
    return settings


def _alike(own: Any, asked: Any) -> bool:
    """Whether two configurations of a part differ in their dropout at most."""
    if type(own) is not type(asked):
        return False
    return asked == (replace(own, dropout=asked.dropout) if hasattr(own, "dropout") else own)


def settings_for(recipe: "str | Path | Recipe | None", overrides: Mapping[str, Any]) -> Recipe:
    """The recipe that was asked for, or an empty one, with some fields changed."""
    return resolve(recipe if recipe is not None else Recipe(name="own"), overrides)


def open_data(
    data: Any,
    labels: Any,
    settings: Recipe,
    origin: AutoregressiveImageModel | ModelConfig | None = None,
    groups: Sequence[object] | None = None,
    begun_with: str | None = None,
    known: DataRecord | None = None,
) -> Dataset:
    """A data set from what `train` takes, prepared as the recipe says, or for the model that goes on (`origin`); of a
    word or path held out as is `known` of a model to start from, and without images that came later (`begun_with`: the
    prints of the names of those to take, as text)."""
    if data is None:
        raise UserError("there are no data to train on: give arrays, a data set, or a word such as 'digits'")
    if labels is not None and isinstance(data, Dataset | str | Path):
        raise UserError("labels go with arrays of images; a data set has its own")
    if groups is not None and isinstance(data, Dataset | str | Path):
        raise UserError("groups go with arrays of images; a folder or a CSV split has group_by")
    if isinstance(data, Dataset):
        return data
    if is_torch_set(data):
        if labels is not None:
            raise UserError("labels go with arrays of images; a torch data set has its own")
        data, labels = arrays_of(data)
    shape = settings.shape if origin is None else _continued(origin.shape, settings.data)
    if isinstance(data, str | Path):
        return open_dataset(data, settings.data, shape, known=known, begun_with=begun_with)
    return from_arrays(data, labels, groups=groups, config=settings.data, shape=shape)


def _known_before(origin: AutoregressiveImageModel | None, begun: RunState | None) -> DataRecord | None:
    """What a model to start from, or the one that a run to resume was begun from, knows of its data, unless it was
    trained on its validation images too."""
    if origin is not None:
        return None if origin.record.training.trained_on_validation else origin.record.data
    if begun is None or not begun.start_divides:
        return None
    return from_plain(DataRecord, begun.start_data, "what the run remembers of the model to start from")


def _continued(shape: ImageShape, data: DataConfig) -> ImageShape:
    """The images of a model that goes on, with what the user set about them by hand when setting another size."""
    if data.wanted_size is None:
        return shape
    height, width = data.wanted_size
    signal = shape.signal if data.signal == "linear" else data.signal
    return ImageShape(data.channels or shape.channels, height, width, data.levels or shape.levels, signal)


def _planned(
    dataset: Dataset, data: DataConfig, device: str, minutes: float | None, overrides: Mapping[str, Any]
) -> Recipe:
    """The automatic recipe, with what the user set by hand on top."""
    chosen = plan(dataset, device, minutes)
    parts = ("network", "distribution", "fusion", "objective", "training", "augment")
    recipe = Recipe(
        name="automatic", summary="planned from the data", data=data, **{p: getattr(chosen, p) for p in parts}
    )
    settings = override(recipe, overrides)
    by_hand = {part: getattr(settings, part) != getattr(chosen, part) for part in parts}
    if is_first():
        for part, reason in chosen.reasons:
            if not by_hand[part]:
                say(f"plan: {reason}")
    return settings


def _tell_independence(settings: Recipe, shape: ImageShape) -> None:
    """Where no channel of a colour pixel is told of the others, the model cannot learn how colours go together."""
    independent = isinstance(settings.distribution, Categorical | Bernoulli)
    if independent and shape.channels > 1 and not settings.network.by_channel(shape) and is_first():
        warn(
            "the channels of a pixel are taken as independent of each other: for colours that go together take the "
            "logistic mixture, or the network pixelcnn with colour masks"
        )


def _tell(dataset: Dataset) -> None:
    """What the images are, and what the user should know about them before training."""
    if not is_first():
        return
    for line in dataset.describe():
        say(line)
    for notice in dataset.notices:
        warn(notice)
