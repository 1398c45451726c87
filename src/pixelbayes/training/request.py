"""What a run was asked for, and what it remembers of an earlier sitting."""

from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import torch

from .. import objectives
from ..data import Dataset
from ..errors import UserError
from ..files import sweep
from ..folders import FolderLock, claim_folder, next_run, run_name
from ..model import AutoregressiveImageModel
from ..plain import to_plain
from ..progress import warn
from .memory import Memory
from .own_files import SUMMARY, claim_files
from .state import list_states


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


def claim(request: Request, lock: FolderLock) -> Path:
    """The run's folder, claimed for this process; states of an earlier run that is overwritten are forgotten.

    Only when all else is in place, so that a refused run leaves no empty folder behind.
    """
    out = claim_folder(
        request.out or next_run(run_name(request.dataset.name)), request.overwrite, request.resume
    )
    lock.take(out)
    sweep(out)
    claim_files(out, resumed=request.resume and bool(list_states(out)))
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
        objective=objectives.CONFIGS.to_table(recipe.objective),
        recipe=recipe.to_dict(),
        seen_validation=saw_validation(request.start, request.dataset.preparation),
    )


DIVISION = ("validation_share", "split_seed", "group_by", "folds", "fold")
"""Of the settings of data, that say which images are held out."""


def saw_validation(start: AutoregressiveImageModel | None, preparation: dict[str, Any]) -> bool:
    """Whether a model to start from may have been trained on images that its new run holds out: the data are the same,
    and it was trained on its validation images too, or on another division of them."""
    known = (start.description.get("data") if start is not None else None) or {}
    if start is None or not known.get("source") or known["source"] != preparation.get("source"):
        return False
    before, now = known.get("config") or {}, preparation.get("config") or {}
    all_of_them = (start.description.get("training") or {}).get("trained_on_validation")
    return bool(all_of_them) or any(before.get(name) != now.get(name) for name in DIVISION)


def continued(memory: Memory, request: Request) -> Memory:
    """The memory of a run that goes on: what the caller gives anew is taken, the seed and the network stay."""
    if request.seed is not None and request.seed != memory.seed:
        warn(f"the run keeps its seed {memory.seed}")
    begun = memory.training
    memory.minutes = request.minutes if request.minutes is not None else memory.minutes
    memory.max_steps = request.max_steps if request.max_steps is not None else _limit(memory, request.out)
    if request.recipe is not None:
        _keep_arithmetic(memory, request.recipe.training)
        memory.objective = _same_objective(memory.objective, request.recipe.objective)
        memory.training, memory.augment = to_plain(request.recipe.training), to_plain(request.recipe.augment)
        memory.recipe = _same_network(memory.recipe, request.recipe.to_dict())
    _choose_anew(memory, begun.get("select"))
    if memory.stopped and memory.stale < (memory.training.get("patience") or inf):
        memory.stopped = ""
    return memory


def _choose_anew(memory: Memory, before: str | None) -> None:
    """Where another figure chooses the weights from now on: what the best ones so far have of it."""
    select = memory.training.get("select")
    if select == before or memory.best is None:
        return
    figures, memory.stale = memory.best_figures, 0
    accuracy = figures.get(f"validation_{select}") if select != "bits_per_dim" else None
    memory.best = figure_of_merit(figures["validation_bits_per_dim"] or inf, accuracy)


def figure_of_merit(bits: float, accuracy: float | None) -> float:
    """What chooses the weights, the larger the better: fewer bits/dim, or an accuracy. Equal accuracies are common on
    small sets: then the likelihood decides."""
    return -bits if accuracy is None else accuracy - 1e-6 * bits


def _keep_arithmetic(memory: Memory, asked: Any) -> None:
    """Averaged weights cannot begin in mid-run, and steps of another size could not be counted with those so far;
    precision and compilation, once measured, change by hand only."""
    begun = memory.training
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
        memory.precision = asked.precision
    if asked.compile not in ("auto", begun.get("compile")):
        memory.compiled = asked.compile == "on"


def _same_objective(begun: dict[str, Any], asked: Any) -> dict[str, Any]:
    """The objective asked for: its settings may change in mid-run, but not its kind."""
    given = objectives.CONFIGS.to_table(asked)
    if given["name"] != begun["name"]:
        raise UserError(
            f"the run was begun with the objective {begun['name']}, and --resume goes on with that: leave it out, or "
            f"begin anew with --from (and --objective {given['name']})"
        )
    return given


def _limit(memory: Memory, out: Path | None) -> int | None:
    """The limit of steps of the run; None where it had stopped there and is now told to go on."""
    reached = memory.max_steps is not None and memory.step >= memory.max_steps
    if reached and out is not None and (out / SUMMARY).exists():
        memory.validation_pairs = 0  # they may have been few, for few steps
        warn(
            f"the run had ended after {memory.step:,} steps, as it was told to; it goes on to its schedule's end"
        )
        return None
    return memory.max_steps


def _same_network(begun: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The given recipe, if its network is that of the recipe that the run was begun with."""
    for part in ("network", "distribution", "fusion"):
        if begun.get(part) != given.get(part):
            raise UserError(
                f"the run was begun with another {part} ({begun.get(part)}); --resume goes on with that: leave it "
                "out, or begin anew with another --out"
            )
    return given
