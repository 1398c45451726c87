"""What a run was asked for, and what it remembers of an earlier sitting."""

from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import torch

from .. import objectives
from ..data import Dataset
from ..data.held_out import count_trained
from ..data.opening import alike_divided
from ..errors import UserError
from ..files import sweep
from ..folders import FolderLock, claim_folder, next_run, run_name
from ..model import AutoregressiveImageModel
from ..plain import to_plain
from ..progress import warn
from ..recipe import Recipe, from_dict
from .own_files import SUMMARY, claim_files
from .run_state import RunState
from .state_files import SavedState, list_states


@dataclass(frozen=True)
class RunOptions:
    """What the caller of `train` asked for; `saved` is the state to go on from, if there is one."""

    dataset: Dataset
    recipe: Recipe | None
    out: Path | None
    minutes: float | None
    max_steps: int | None
    seed: int | None
    device: torch.device
    resume: bool
    overwrite: bool
    start: AutoregressiveImageModel | None
    saved: SavedState | None


def claim(options: RunOptions, lock: FolderLock) -> Path:
    """The run's folder, claimed for this process; states of an earlier run that is overwritten are forgotten.

    Only when all else is in place, so that a refused run leaves no empty folder behind.
    """
    out = claim_folder(
        options.out or next_run(run_name(options.dataset.name)), options.overwrite, options.resume
    )
    lock.take(out)
    sweep(out)
    claim_files(out, resumed=options.resume and bool(list_states(out)))
    return out


def new_state(options: RunOptions) -> RunState:
    """What a run that begins remembers."""
    recipe = options.recipe
    if recipe is None:
        raise UserError("a new run needs a recipe")
    return RunState(
        seed=options.seed or 0,
        minutes=options.minutes,
        max_steps=options.max_steps,
        training=to_plain(recipe.training),
        augment=to_plain(recipe.augment),
        objective=objectives.CONFIGS.to_table(recipe.objective),
        recipe=recipe.to_dict(),
        seen_validation=saw_validation(options.start, options.dataset),
    )


def saw_validation(start: AutoregressiveImageModel | None, dataset: Dataset) -> bool:
    """Whether a model to start from may have been trained on images that its new run holds out: it remembers one of
    them, or the data are the same, and it was trained on its validation images too, or on another division of them."""
    if start is None or dataset.validation is None:
        return False
    known, data = start.record.data, dataset.preparation
    if count_trained(known, dataset.validation):
        return True
    if not known.source or known.source != data.source:
        return False
    return start.record.training.trained_on_validation or not alike_divided(known, data)


def continued(state: RunState, options: RunOptions) -> RunState:
    """What a run that goes on remembers: what the caller gives anew is taken, the seed and the network stay."""
    if options.seed is not None and options.seed != state.seed:
        warn(f"the run keeps its seed {state.seed}")
    begun = state.training
    state.minutes = options.minutes if options.minutes is not None else state.minutes
    state.max_steps = options.max_steps if options.max_steps is not None else _limit(state, options.out)
    if options.recipe is not None:
        _keep_arithmetic(state, options.recipe.training)
        state.objective = _same_objective(state.objective, options.recipe.objective)
        state.training, state.augment = to_plain(options.recipe.training), to_plain(options.recipe.augment)
        state.recipe = _same_network(state.recipe, options.recipe)
    _choose_anew(state, begun.get("select"))
    if state.stopped and state.stale < (state.training.get("patience") or inf):
        state.stopped = ""
    return state


def _choose_anew(state: RunState, before: str | None) -> None:
    """Where another figure chooses the weights from now on: what the best ones so far have of it."""
    select = state.training.get("select")
    if select == before or state.best is None:
        return
    figures, state.stale = state.best_figures, 0
    accuracy = figures.get(f"validation_{select}") if select != "bits_per_dim" else None
    state.best = figure_of_merit(figures["validation_bits_per_dim"] or inf, accuracy)


def figure_of_merit(bits: float, accuracy: float | None) -> float:
    """What chooses the weights, the larger the better: fewer bits/dim, or an accuracy. Equal accuracies are common on
    small sets: then the likelihood decides."""
    return -bits if accuracy is None else accuracy - 1e-6 * bits


def _keep_arithmetic(state: RunState, asked: Any) -> None:
    """Averaged weights cannot begin in mid-run, and steps of another size could not be counted with those so far;
    precision and compilation, once measured, change by hand only."""
    begun = state.training
    if begun.get("batch", asked.batch) != asked.batch:
        raise UserError(
            f"the run was begun with batches of {begun['batch']}, and --resume goes on so: leave training.batch as it "
            "was (training.accumulate takes a batch in parts, for less memory), or begin anew with --from"
        )
    averaged = bool(begun.get("ema") or begun.get("ema_decay"))
    if averaged != bool(asked.ema or asked.ema_decay):
        raise UserError(
            f"the run was begun {'with' if averaged else 'without'} averaged weights, and --resume goes on so: leave "
            "training.ema as it was, or begin anew with another --out"
        )
    if asked.precision not in ("auto", begun.get("precision")):
        state.precision = asked.precision
    if asked.compile not in ("auto", begun.get("compile")):
        state.compiled = asked.compile == "on"


def _same_objective(begun: dict[str, Any], asked: Any) -> dict[str, Any]:
    """The objective asked for: its settings may change in mid-run, but not its kind."""
    given = objectives.CONFIGS.to_table(asked)
    if given["name"] != begun["name"]:
        raise UserError(
            f"the run was begun with the objective {begun['name']}, and --resume goes on with that: leave it out, or "
            f"begin anew with --from (and --objective {given['name']})"
        )
    return given


def _limit(state: RunState, out: Path | None) -> int | None:
    """The limit of steps of the run; None where it had stopped there and is now told to go on."""
    reached = state.max_steps is not None and state.step >= state.max_steps
    if reached and out is not None and (out / SUMMARY).exists():
        state.validation_pairs = 0  # they may have been few, for few steps
        warn(
            f"the run had ended after {state.step:,} steps, as it was told to; it goes on to its schedule's end"
        )
        return None
    return state.max_steps


def _same_network(begun: dict[str, Any], asked: Recipe) -> dict[str, Any]:
    """The recipe asked for, if its network is that of the recipe that the run was begun with.

    Configurations are compared, not tables: an earlier version wrote fewer fields.
    """
    known = from_dict(begun, "the run's recipe")
    for part in ("network", "distribution", "fusion"):
        if getattr(known, part) != getattr(asked, part):
            raise UserError(
                f"the run was begun with another {part} ({begun.get(part)}); --resume goes on with that: leave it "
                "out, or begin anew with another --out"
            )
    return asked.to_dict()
