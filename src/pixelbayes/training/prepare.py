"""Putting a run together: the folder, the data, the model, and where an earlier sitting left off."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..data import Augment, AugmentConfig, Dataset, ImageSet
from ..errors import UserError
from ..folders import claim_folder, next_run, refuse_occupied
from ..model import AutoregressiveImageModel, ModelConfig, from_spec, spec
from ..plain import from_plain, to_plain
from ..progress import warn
from .average import Average
from .batches import Batches
from .config import TrainingConfig
from .display import Display
from .finetune import grow, join_classes, relabel
from .graph import GradientGraph
from .guard import Guard
from .initialise import initialise
from .journal import Journal
from .memory import Memory
from .objective import Objective
from .optimiser import make_optimiser
from .order import make_order
from .place import launch
from .run import Run, memory_of
from .seeds import derive, generator
from .span import Span
from .speed import choose_precision, compile_pays
from .state import clear_states
from .step import Stepper
from .validation import ValidationPlan, plan_validation
from .watch import LossWatch

T = TypeVar("T")
PROBE = 256  # training images that are scored beside the validation ones


@dataclass
class Request:
    """What the caller of `train` asked for."""

    dataset: Dataset
    recipe: Any
    out: Path | None
    minutes: float | None
    max_steps: int | None
    seed: int | None
    device: torch.device
    resume: bool
    overwrite: bool
    start: AutoregressiveImageModel | None


def on_first(fabric: Any, action: Callable[[], T]) -> T:
    """Do something on the first rank alone; all ranks get the result, or the same UserError."""
    result: T | None = None
    complaint = ""
    if fabric.is_global_zero:
        try:
            result = action()
        except UserError as error:
            complaint = str(error)
    if fabric.world_size > 1:
        result, complaint = fabric.broadcast((result, complaint), src=0)
    if complaint:
        raise UserError(complaint)
    return result  # type: ignore[return-value]


def claim(request: Request) -> Path:
    """The run's folder, claimed; states of an earlier run that is overwritten are forgotten.

    Only when all else is in place, so that a refused run leaves no empty folder behind.
    """
    out = claim_folder(request.out or next_run(request.dataset.name), request.overwrite, request.resume)
    if request.overwrite and not request.resume:
        clear_states(out)
        for old in (*out.glob("events/events.out.tfevents*"), *out.glob("samples/*.png")):
            old.unlink(missing_ok=True)
    return out


def new_memory(request: Request) -> Memory:
    """The memory of a run that begins."""
    recipe = request.recipe
    if recipe is None:
        raise UserError("a new run needs a recipe")
    return Memory(
        seed=request.seed or 0,
        minutes=request.minutes,
        max_steps=request.max_steps,
        training=to_plain(recipe.training),
        augment=to_plain(recipe.augment),
        recipe=_describe(recipe),
    )


def _describe(recipe: Any) -> dict[str, Any]:
    plain = recipe.to_dict() if hasattr(recipe, "to_dict") else to_plain(recipe)
    return dict(plain)


def continued(memory: Memory, request: Request) -> Memory:
    """The memory of a run that goes on: what the caller gives anew is taken, the seed and the network stay."""
    if request.seed is not None and request.seed != memory.seed:
        warn(f"the run keeps its seed {memory.seed}")
    memory.minutes = request.minutes if request.minutes is not None else memory.minutes
    memory.max_steps = request.max_steps if request.max_steps is not None else memory.max_steps
    if request.recipe is not None:
        memory.training, memory.augment = to_plain(request.recipe.training), to_plain(request.recipe.augment)
        memory.recipe = _same_network(memory.recipe, _describe(request.recipe))
    if memory.stopped:
        memory.stopped = "" if not memory.training.get("patience") else memory.stopped
    return memory


def _same_network(begun: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The given recipe, if its network is that of the recipe that the run was begun with."""
    for part in ("network", "distribution", "fusion"):
        if begun.get(part) != given.get(part):
            raise UserError(
                f"the run was begun with another {part} ({begun.get(part)}); --resume goes on with that: leave it "
                "out, or begin anew with another --out"
            )
    return given


def make_model(request: Request, memory: Memory, dataset: Dataset) -> AutoregressiveImageModel:
    """The model of the run before any step: new, or grown from the one to start from."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(memory.seed, "weights"))
        if memory.model:
            return AutoregressiveImageModel(from_spec(memory.model))
        config = request.start.config if request.start is not None else request.recipe
        model = AutoregressiveImageModel(
            ModelConfig(
                dataset.shape, config.network, config.distribution, config.fusion, dataset.classes.names
            )
        )
    if request.start is not None:
        before, after = len(request.start.classes), len(model.classes)
        model.load_state_dict(grow(request.start.state_dict(), model.state_dict(), before, after))
    memory.model = spec(model.config)
    return model


def fit_data(request: Request, memory: Memory) -> Dataset:
    """The data with its labels counted as the model counts them: its classes first, new ones after."""
    dataset = request.dataset
    known = request.start.classes if request.start is not None else None
    if memory.model:
        config = from_spec(memory.model)
        known = type(dataset.classes)(config.classes)
        if dataset.shape != config.shape:
            raise UserError(
                f"the run was begun with images of {config.shape}, and {dataset.name} has {dataset.shape}"
            )
    if known is None:
        return dataset
    joined, index = join_classes(known, dataset.classes)
    if memory.model and joined != known:
        raise UserError(f"{dataset.name} has classes that the run was not begun with: {', '.join(joined)}")
    if request.start is not None and bool(len(known)) != bool(len(dataset.classes)):
        raise UserError("a model without classes and data with classes (or the reverse) do not go together")
    return relabel(dataset, joined, index)


def training_images(dataset: Dataset, config: TrainingConfig) -> ImageSet:
    """The images to train on: those of known class, with the validation ones where that is asked for."""
    images = dataset.train.labelled if len(dataset.classes) else dataset.train
    held = dataset.validation
    if config.include_validation and held is not None:
        more = held.labelled if len(dataset.classes) else held
        images = replace(
            images,
            levels=torch.cat([images.levels, more.levels]),
            labels=torch.cat([images.labels, more.labels]),
            paths=[*images.paths, *more.paths],
        )
    if not len(images):
        raise UserError(f"{dataset.name} has no training images of a known class")
    return images


def prepare(request: Request, guard: Guard, display: Display, span: Span) -> Run:
    """Everything in place, at the step where an earlier sitting left off, or at the first."""
    fabric = launch(request.device, "32-true")
    display.shown = bool(fabric.is_global_zero)
    wanted = request.out
    if wanted is not None:
        on_first(fabric, lambda: refuse_occupied(wanted, request.overwrite or request.resume))
    earlier = memory_of(wanted) if request.resume and wanted is not None else None
    if request.resume and earlier is None and fabric.is_global_zero:
        warn(f"there is no state of an earlier run in {wanted}: a new one begins")
    memory, state = (continued(earlier[0], request), earlier[1]) if earlier else (new_memory(request), None)
    config = from_plain(TrainingConfig, memory.training, "the run's training")
    _check_batch(config, fabric.world_size)
    dataset = fit_data(request, memory)
    images = training_images(dataset, config)
    model = make_model(request, memory, dataset).to(fabric.device)
    if fabric.device.type == "cuda":
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.description = {"data": dataset.preparation, "recipe": memory.recipe}
    focus = [model.classes.index(word) for word in config.focus]
    order = make_order(
        images.labels,
        len(model.classes),
        config.batch,
        memory.seed,
        config.balanced,
        focus,
        config.focus_share,
    )
    span.steps = ceil(config.epochs * len(images) / config.batch)
    span.carried = memory.elapsed
    span.seconds = memory.minutes * 60 if memory.minutes is not None else None
    batches = Batches(images.levels, images.labels if len(model.classes) else None, fabric.device)
    if state is None:
        _begin(memory, config, model, batches, order.indices(0), fabric.world_size)
    fabric = launch(request.device, memory.precision) if memory.precision != "32-true" else fabric
    average = Average(model) if config.ema or config.ema_decay else None
    stepper, validation = _stepper(fabric, model, config, memory), _validation(dataset, config, memory)
    augment = _augment(memory, images)
    out = on_first(fabric, lambda: claim(request))
    run = Run(
        out=out,
        fabric=fabric,
        config=config,
        memory=memory,
        model=model,
        average=average,
        stepper=stepper,
        images=images,
        batches=batches,
        order=order,
        augment=augment,
        validation=validation,
        probe=_probe(images, memory),
        span=span,
        watch=LossWatch(model.shape.uniform_bits, config.tolerate, order.indices),
        guard=guard,
        journal=Journal(out, memory.step, config.wandb, out.name) if fabric.is_global_zero else None,
        display=display,
    )
    if state is not None:
        run.restore(state)
    _capture(run)
    return run


def _check_batch(config: TrainingConfig, ranks: int) -> None:
    if config.batch < ranks:
        raise UserError(f"a batch of {config.batch} cannot be shared by {ranks} ranks; raise training.batch")


def _begin(
    memory: Memory,
    config: TrainingConfig,
    model: AutoregressiveImageModel,
    batches: Batches,
    first: Tensor,
    ranks: int,
) -> None:
    """What is done once in a run: initialisation from the data, and the choice of precision and compilation."""
    levels, labels = batches.take(first)
    if config.init_data_dependent:
        initialise(model, levels, labels)
    if config.precision != "auto":
        memory.precision = config.precision
    elif ranks == 1:  # several would measure differently
        memory.precision = choose_precision(model, levels, labels)
    memory.compiled = config.compile == "on"
    if config.compile == "auto" and ranks == 1 and levels.device.type == "cuda":
        seconds = memory.minutes * 60 if memory.minutes else None
        bf16 = memory.precision == "bf16-mixed"
        memory.compiled = compile_pays(model, levels, labels, config, bf16, seconds, len(batches))


def _stepper(fabric: Any, model: AutoregressiveImageModel, config: TrainingConfig, memory: Memory) -> Stepper:
    objective: Any = Objective(model).train()
    if memory.compiled:
        objective = torch.compile(objective)
    wrapped = fabric.setup_module(objective, move_to_device=False)
    optimiser = make_optimiser(model, config)
    return Stepper(fabric, wrapped, optimiser, model.shape.dims, config.clip, config.accumulate)


def _capture(run: Run) -> None:
    """On one CUDA device, forward and backward become one static program."""
    if run.fabric.device.type != "cuda" or not run.alone or run.memory.compiled or run.config.accumulate > 1:
        return
    levels, labels = run.batch(run.memory.step)
    try:
        run.stepper.graph = GradientGraph(
            lambda images, classes: run.stepper.eager(images, classes, run.config.batch),
            run.model,
            levels,
            labels,
        )
    except RuntimeError as error:
        warn(
            f"the network runs operation by operation, since it cannot be captured: {str(error).splitlines()[0]}"
        )
        run.model.zero_grad(set_to_none=True)


def _augment(memory: Memory, images: ImageSet) -> Augment | None:
    config = from_plain(AugmentConfig, memory.augment, "the run's augmentation")
    return Augment(config, images.shape) if config.active else None


def _validation(dataset: Dataset, config: TrainingConfig, memory: Memory) -> ValidationPlan | None:
    if dataset.validation is None or config.include_validation:
        return None
    return plan_validation(dataset.validation, config.validation_pairs, memory.seed)


def _probe(images: ImageSet, memory: Memory) -> ImageSet:
    chosen = torch.randperm(len(images), generator=generator(memory.seed, "probe"))[:PROBE]
    return images[chosen.sort().values]
