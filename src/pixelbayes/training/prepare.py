"""Putting a run together: the folder, the data, the model, and where an earlier sitting left off."""

from math import ceil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import checkpoint
from ..allocation import keep_freed_memory
from ..data import Augment, AugmentConfig, Dataset, ImageSet
from ..distributed import is_first, launch, on_first
from ..errors import UserError
from ..folders import FolderLock, refuse_occupied
from ..model import AutoregressiveImageModel
from ..objectives import CONFIGS, Batch, Objective
from ..plain import from_plain
from ..progress import warn
from ..training_config import TrainingConfig
from .average import Average
from .batches import Batches
from .culprits import culprits_of
from .graph import GradientGraph
from .guard import Guard
from .initialise import initialise
from .journal import Journal, require_wandb
from .material import fit_data, make_model, training_images
from .memory import Memory
from .optimiser import make_optimiser
from .order import Order, make_order
from .request import Request, claim, continued, new_memory
from .run import Run, memory_of
from .seeds import generator
from .span import Span
from .speed import choose_precision, compile_pays
from .state import State
from .step import Stepper
from .validation import ValidationPlan, plan_validation
from .watch import LossWatch

PROBE = 256  # training images that are scored beside the validation ones


def prepare(request: Request, guard: Guard, span: Span, lock: FolderLock) -> Run:
    """Everything in place, at the step where an earlier sitting left off, or at the first."""
    keep_freed_memory()
    fabric = launch(request.device, "32-true")
    memory, state = _remember(request, fabric, lock)
    config = from_plain(TrainingConfig, memory.training, "the run's training")
    _check_batch(config, fabric.world_size)
    if config.wandb:
        require_wandb()
    dataset = fit_data(request, memory)
    if request.start is not None:
        _tell_new_classes(request.start, dataset)
    images = training_images(dataset, config)
    model = _model(request, memory, dataset, fabric)
    order = _order(images, model, config, memory)
    _measure_out(span, config, memory, len(images))
    batches = Batches(images.levels, images.labels if len(model.classes) else None, fabric.device)
    if state is None:
        first = batches.take(order.indices(0)[: config.at_once])
        if config.init_data_dependent and request.start is None:  # weights to start from stay as they are
            initialise(model, *first)
        _choose(memory, config, model, *first, images=len(images), ranks=fabric.world_size)
    fabric = launch(request.device, memory.precision) if memory.precision != "32-true" else fabric
    average = Average(model) if config.ema or config.ema_decay else None
    objective = _objective(model, memory)
    stepper, validation = _stepper(fabric, objective, config, memory), _validation(dataset, config, memory)
    augment = _augment(memory, images)
    out = on_first(fabric, lambda: claim(request, lock))
    run = Run(
        out=out,
        fabric=fabric,
        config=config,
        memory=memory,
        model=model,
        average=average,
        objective=objective,
        stepper=stepper,
        images=images,
        batches=batches,
        order=order,
        augment=augment,
        validation=validation,
        probe=_probe(images, memory),
        span=span,
        watch=_watch(objective, config, batches, order, images),
        guard=guard,
        journal=_journal(out, memory, config, objective, fabric.world_size) if is_first() else None,
    )
    if state is not None:
        run.restore(state)
    _capture(run)
    return run


def _remember(request: Request, fabric: Any, lock: FolderLock) -> tuple[Memory, State | None]:
    """The run's memory, and the state to go on from if there is one."""
    wanted = request.out
    if wanted is not None:
        on_first(fabric, lambda: _may_write(wanted, request, lock))
    earlier = memory_of(wanted) if request.resume and wanted is not None else None
    if earlier is not None:
        return continued(earlier[0], request), earlier[1]
    if request.resume and wanted is not None:
        if (wanted / checkpoint.WEIGHTS).exists():
            raise UserError(
                f"{wanted} holds a model, but no state of a run that can be read: --resume cannot go on; choose "
                "another --out, or begin anew with --overwrite"
            )
        warn(f"there is no state of an earlier run in {wanted}: a new one begins")
    return new_memory(request), None


def _may_write(out: Path, request: Request, lock: FolderLock) -> None:
    """Before anything is prepared: UserError where the folder is taken, or holds what may not be overwritten."""
    refuse_occupied(out, request.overwrite or request.resume)
    if out.is_dir():
        lock.take(out)


def _tell_new_classes(start: AutoregressiveImageModel, dataset: Dataset) -> None:
    new = dataset.classes.names[len(start.classes) :]
    if new:
        names = ", ".join(new[:10]) + (", ..." if len(new) > 10 else "")
        warn(f"classes that the model to start from does not know begin as the mean of its own: {names}")


def _model(request: Request, memory: Memory, dataset: Dataset, fabric: Any) -> AutoregressiveImageModel:
    model = make_model(request, memory, dataset).to(fabric.device)
    if fabric.device.type == "cuda":
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    counts = dict(zip(dataset.classes, dataset.train.counts(), strict=True))
    model.description = {"data": {**dataset.preparation, "class_counts": counts}, "recipe": memory.recipe}
    if imports := CONFIGS.origins(memory.objective["name"]):  # to train on, not to use the model
        model.description["imports"] = imports
    return model


def _watch(
    objective: Objective,
    config: TrainingConfig,
    batches: Batches,
    order: Order,
    images: ImageSet,
) -> LossWatch:
    """The watch over the losses, which knows the images of a step by name."""
    culprits = culprits_of(objective.model, batches, order.indices, images)
    bits = objective.model.shape.uniform_bits
    return LossWatch(bits, config.tolerate, culprits, parts=objective.parts)


def _order(
    images: ImageSet, model: AutoregressiveImageModel, config: TrainingConfig, memory: Memory
) -> Order:
    focus = [model.classes.index(word) for word in config.focus]
    for index in focus:
        if not bool((images.labels == index).any()):
            raise UserError(
                f"there are no training images of the class {model.classes[index]} to draw more of"
            )
    return make_order(
        images.labels,
        len(model.classes),
        config.batch,
        memory.seed,
        config.balanced,
        focus,
        config.focus_share,
    )


def _measure_out(span: Span, config: TrainingConfig, memory: Memory, images: int) -> None:
    """Tell the span how long the run is, and how much of it is gone."""
    span.steps = ceil(config.epochs * images / config.batch)
    span.carried = memory.elapsed
    span.seconds = memory.minutes * 60 if memory.minutes is not None else None


def _check_batch(config: TrainingConfig, ranks: int) -> None:
    if config.batch < ranks:
        raise UserError(f"a batch of {config.batch} cannot be shared by {ranks} ranks; raise training.batch")


def _choose(
    memory: Memory,
    config: TrainingConfig,
    model: AutoregressiveImageModel,
    levels: Tensor,
    labels: Tensor | None,
    images: int,
    ranks: int,
) -> None:
    """The choice of precision and compilation, made once in a run, by measuring on its first batch."""
    if config.precision != "auto":
        memory.precision = config.precision
    elif ranks == 1:  # several would measure differently
        memory.precision = choose_precision(model, levels, labels)
    memory.compiled = config.compile == "on"
    if config.compile == "auto" and ranks == 1 and levels.device.type == "cuda":
        seconds = memory.minutes * 60 if memory.minutes else None
        bf16 = memory.precision == "bf16-mixed"
        memory.compiled = compile_pays(model, levels, labels, config, bf16, seconds, images)


def _objective(model: AutoregressiveImageModel, memory: Memory) -> Objective:
    config = CONFIGS.from_table(memory.objective, "the run's objective")
    objective: Objective = config.build(model).to(model.device).train()
    if "likelihood" not in objective.parts:
        raise UserError(
            f"the objective {memory.objective['name']} has no part 'likelihood', by which a run is judged"
        )
    return objective


def _stepper(fabric: Any, objective: Objective, config: TrainingConfig, memory: Memory) -> Stepper:
    module: Any = torch.compile(objective) if memory.compiled else objective
    wrapped = fabric.setup_module(module, move_to_device=False)
    optimiser = make_optimiser(objective.model, config, objective.own_parameters(), objective.rate)
    return Stepper(fabric, wrapped, optimiser, config.clip, config.accumulate, objective.parts)


def _journal(out: Path, memory: Memory, config: TrainingConfig, objective: Objective, ranks: int) -> Journal:
    settings = {**memory.recipe, "seed": memory.seed, "minutes": memory.minutes, "ranks": ranks}
    return Journal(out, memory.step, settings if config.wandb else None, out.name, objective.parts)


def _capture(run: Run) -> None:
    """On one CUDA device, forward and backward become one static program."""
    if run.fabric.device.type != "cuda" or not run.alone or run.memory.compiled or run.config.accumulate > 1:
        return
    if not run.objective.static:
        return
    batch = run.batch(run.memory.step)
    try:
        run.stepper.graph = GradientGraph(
            lambda levels, labels: run.stepper.eager(Batch(levels, labels), run.config.batch),
            run.objective,
            batch.levels,
            batch.labels,
        )
    except RuntimeError as error:
        warn(
            f"the network runs operation by operation, since it cannot be captured: {str(error).splitlines()[0]}"
        )
        run.objective.zero_grad(set_to_none=True)


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
