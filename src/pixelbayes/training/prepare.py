"""Putting a run together: the folder, the data, the model, and where an earlier sitting left off."""

from copy import deepcopy
from dataclasses import replace
from math import ceil
from typing import Any

import torch
from torch import Tensor

from .. import checkpoint
from ..allocation import keep_freed_memory
from ..data import Augment, AugmentConfig, Dataset, ImageSet
from ..data.held_out import remember_trained
from ..distributed import is_first, launch, on_first
from ..errors import UserError
from ..folders import FolderLock, refuse_occupied
from ..journals import Journal, require_wandb
from ..levels import ImageShape
from ..model import AutoregressiveImageModel
from ..objectives import CONFIGS, Batch, Objective
from ..plain import from_plain
from ..progress import warn
from ..records import DataRecord, ModelRecord
from ..speed import choose_precision, compile_pays, load_a_core
from ..training_config import TrainingConfig
from .batches import Batches, ImageStore, Order, generator, halved, make_order
from .duties import DUTIES
from .guard import Guard
from .material import fit_data, initialise, make_model, training_images
from .pacing import Budget, Clock
from .run import Run
from .run_state import RunOptions, RunState, continued, new_state
from .state_files import claim
from .step import EMA, GradientGraph, Stepper, make_optimiser
from .validation import plan_validation
from .watch import LossWatch, nonfinite_images

LEAST_TO_HALVE = 8  # pixels on a side, so that kernels still have something to see
PROBE = 256  # training images that are scored beside the validation ones


def prepare(options: RunOptions, guard: Guard, clock: Clock, lock: FolderLock) -> Run:
    """Everything in place, at the step where an earlier sitting left off, or at the first."""
    keep_freed_memory()
    fabric = launch(options.device, "32-true")
    state = _state(options, fabric, lock)
    clock.carried = state.elapsed
    config = from_plain(TrainingConfig, state.training, "the run's training")
    _check(config, options.dataset.shape, fabric.world_size)

    dataset = fit_data(options, state)
    images = training_images(dataset, config)
    model = _model(options, state, dataset, images, fabric)
    order = _order(images, model, config, state)
    store = ImageStore(images.levels, images.labels if len(model.classes) else None, fabric.device)
    if options.saved is None:
        first = store.take(order.indices(0)[: config.at_once])
        if config.init_data_dependent and options.start is None:  # weights to start from stay as they are
            levels, labels = first
            initialise(model, halved(levels) if config.half_until else levels, labels)
        _choose(state, config, model, *first, images=len(images), ranks=fabric.world_size)

    fabric = launch(options.device, state.precision) if state.precision != "32-true" else fabric
    average = EMA(model) if config.ema or config.ema_decay else None
    objective = _objective(model, state)
    augment = from_plain(AugmentConfig, state.augment, "the run's augmentation")
    drawn = Augment(augment, images.shape) if augment.active else None
    held_out = dataset.validation if not config.include_validation else None
    probe = torch.randperm(len(images), generator=generator(state.seed, "probe"))[:PROBE].sort().values
    seconds = None if state.minutes is None else state.minutes * 60
    nonfinite = nonfinite_images(model, store, order.indices, images)

    out = on_first(fabric, lambda: claim(options, lock))
    settings = {**state.recipe, "seed": state.seed, "minutes": state.minutes, "ranks": fabric.world_size}
    wandb = settings if config.wandb else None
    run = Run(
        out=out,
        fabric=fabric,
        config=config,
        state=state,
        model=model,
        average=average,
        objective=objective,
        stepper=_stepper(fabric, objective, config, state),
        images=images,
        batches=Batches(
            fabric, store, order, state.seed, drawn, objective, config.augment_until, config.half_until
        ),
        validation=plan_validation(held_out, config.validation_pairs, state.seed) if held_out else None,
        probe=images[probe],
        budget=Budget(ceil(config.epochs * len(images) / config.batch), seconds, state.max_steps),
        clock=clock,
        watch=LossWatch(state, model.shape.uniform_bits, config.tolerate, nonfinite, parts=objective.parts),
        guard=guard,
        journal=Journal(out, state.step, wandb, out.name, objective.parts) if is_first() else None,
    )
    if options.saved is not None:
        run.restore(options.saved.tensors)
    _capture(run)
    return run


def _state(options: RunOptions, fabric: Any, lock: FolderLock) -> RunState:
    """What the run remembers: of the sitting before, or nothing yet. UserError where the folder is taken, or holds what
    may not be overwritten."""
    out = options.out

    def may_write() -> None:
        if out is not None:
            refuse_occupied(out, options.overwrite or options.resume)
            if out.is_dir():
                lock.take(out)

    on_first(fabric, may_write)
    if options.saved is not None:
        return continued(deepcopy(options.saved.state), options)
    if options.resume and out is not None:
        if (out / checkpoint.WEIGHTS).exists():
            raise UserError(
                f"{out} holds a model, but no state of a run that can be read: --resume cannot go on; choose "
                "another --out, or begin anew with --overwrite"
            )
        warn(f"there is no state of an earlier run in {out}: a new one begins")
    return new_state(options)


def _check(config: TrainingConfig, shape: ImageShape, ranks: int) -> None:
    for name in config.duties:
        DUTIES[name]
    if config.batch < ranks:
        raise UserError(f"a batch of {config.batch} cannot be shared by {ranks} ranks; raise training.batch")
    if config.half_until and min(shape.height, shape.width) < LEAST_TO_HALVE:
        raise UserError(f"training.half_until needs images of {LEAST_TO_HALVE} pixels and more, not {shape}")
    if config.wandb:
        require_wandb()


def _model(
    options: RunOptions, state: RunState, dataset: Dataset, images: ImageSet, fabric: Any
) -> AutoregressiveImageModel:
    model = make_model(options, state, dataset).to(fabric.device)
    if fabric.device.type == "cuda":
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    counts = dict(zip(dataset.train.classes, dataset.train.counts(), strict=True))
    duties = state.training.get("duties", ())
    named = [CONFIGS.origins(state.objective["name"]), *(DUTIES.origins(name) for name in duties)]
    start = options.start.record.data if options.start is not None else DataRecord()
    told = "what the run remembers of the model to start from"
    before = from_plain(DataRecord, state.start_data, told) if state.start_data else start
    trained = remember_trained(images, before)
    model.record = ModelRecord(
        data=replace(dataset.preparation, class_counts=counts, trained_on=trained),
        recipe=state.recipe,
        imports=tuple(module for modules in named for module in modules),
    )
    return model


def _order(
    images: ImageSet, model: AutoregressiveImageModel, config: TrainingConfig, state: RunState
) -> Order:
    classes = model.classes
    focus = [classes.index(word) for word in config.focus]
    for index in focus:
        if not bool((images.labels == index).any()):
            raise UserError(f"there are no training images of the class {classes[index]} to draw more of")
    drawn = (config.balanced, focus, config.focus_share)
    return make_order(images.labels, len(classes), config.batch, state.seed, *drawn)


def _choose(
    state: RunState, config: TrainingConfig, model: AutoregressiveImageModel, levels: Tensor, labels: Tensor | None,
    images: int, ranks: int,
) -> None:  # fmt: skip
    """The choice of precision and compilation, made once in a run, by measuring on its first batch."""
    state.load = load_a_core()
    if config.precision != "auto":
        state.precision = config.precision
    elif ranks == 1:  # several would measure differently
        state.precision = choose_precision(model, levels, labels)
    state.compiled = config.compile == "on"
    if config.compile == "auto" and ranks == 1 and levels.device.type == "cuda":
        seconds = state.minutes * 60 if state.minutes else None
        bf16 = state.precision == "bf16-mixed"
        state.compiled = compile_pays(model, levels, labels, config, bf16, seconds, images)


def _objective(model: AutoregressiveImageModel, state: RunState) -> Objective:
    config = CONFIGS.from_table(state.objective, "the run's objective")
    objective: Objective = config.build(model).to(model.device).train()
    if "likelihood" not in objective.parts:
        raise UserError(
            f"the objective {state.objective['name']} has no part 'likelihood', by which a run is judged"
        )
    return objective


def _stepper(fabric: Any, objective: Objective, config: TrainingConfig, state: RunState) -> Stepper:
    module: Any = torch.compile(objective) if state.compiled else objective
    wrapped = fabric.setup_module(module, move_to_device=False)
    optimiser = make_optimiser(objective.model, config, objective.own_parameters(), objective.rate)
    return Stepper(fabric, wrapped, optimiser, config.clip, config.accumulate, objective.parts)


def _capture(run: Run) -> None:
    """On one CUDA device, forward and backward become one static program."""
    if run.fabric.device.type != "cuda" or not run.alone or run.state.compiled or run.config.accumulate > 1:
        return
    if not run.objective.static or run.model.config.fusion.views != "none" or run.config.half_until:
        return
    batch = run.batches.at(run.state.step)

    def gradient(levels: Tensor, labels: Tensor | None) -> Tensor:
        return run.stepper.eager(Batch(levels, labels), run.config.batch)

    try:
        run.stepper.graph = GradientGraph(gradient, run.objective, batch.levels, batch.labels)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        warn(f"the network runs operation by operation, since it cannot be captured: {reason}")
        run.objective.zero_grad(set_to_none=True)
