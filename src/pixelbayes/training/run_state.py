"""What a run was asked for (`RunOptions`), and what it remembers from one sitting to the next (`RunState`)."""

from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import objectives
from ..data import Dataset
from ..data.held_out import count_trained
from ..data.opening import alike_divided
from ..distributed import Arithmetic
from ..errors import UserError
from ..model import AutoregressiveImageModel
from ..plain import field_types, from_plain, to_plain
from ..progress import warn
from ..recipe import Recipe, from_dict

SUMMARY = "training.json"
"""Written into the run's folder when the run has come to its end."""
EARLIER_DEFAULTS = {"validate_every": 1.0, "sample_every": 10.0}
"""What earlier versions wrote where nothing was asked for; as a wish of the user's it would be kept to."""


@dataclass
class RunState:
    """Plain data, saved in every state."""

    seed: int
    minutes: float | None
    max_steps: int | None
    training: dict[str, Any]
    """The fields of the TrainingConfig."""
    augment: dict[str, Any]
    objective: dict[str, Any] = field(default_factory=lambda: {"name": "likelihood"})
    seen_validation: bool = False
    """Whether the model to start from may have been trained on the validation images."""
    start_data: dict[str, Any] = field(default_factory=dict)
    """What the model to start from remembers of its data (a `DataRecord`); empty where there is none."""
    start_divides: bool = False
    """Whether the images that it held out are held out again."""
    data: str = ""
    """The fingerprint of the images, by which others are refused when the run goes on."""
    recipe: dict[str, Any] = field(default_factory=dict)
    """As it goes into the model's description."""
    model: dict[str, Any] = field(default_factory=dict)
    """What the model is built from (`model.spec`)."""
    precision: Arithmetic = "32-true"
    compiled: bool = False
    load: float | None = None
    """Of each core, when the machine's speed was measured for the choice of these two."""
    step: int = 0
    """Steps done."""
    elapsed: float = 0.0
    """Seconds, over all sittings."""
    mass: float = 0.0
    """Of the averaged weights."""
    skipped: int = 0
    first_bits: float | None = None
    validation_pairs: int = 0
    """What the clock allows one validation; 0: not yet known, or a run by steps."""
    validated: int = -1
    """The step of the last validation."""
    best: float | None = None
    best_step: int = -1
    best_figures: dict[str, float | None] = field(default_factory=dict)
    stale: int = 0
    """Validations since the best one."""
    stopped: str = ""
    """Why training ended before its end."""
    sheet_step: int = -1
    sheet_last: float = 0.0
    """Seconds of the last one."""
    sheet_seconds: float = 0.0
    """Spent on sample sheets."""
    warned: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "RunState":
        """The inverse of `to_dict`; what other versions wrote beside is left out.

        Raises UserError for what is no run's memory.
        """
        if not isinstance(data, dict):
            raise UserError("it holds no memory of a run")
        known = {name: value for name, value in data.items() if name in field_types(cls)}
        state = from_plain(cls, known, "its memory")
        if "objective" not in data:  # of an earlier version
            state.training = {
                name: v for name, v in state.training.items() if EARLIER_DEFAULTS.get(name) != v
            }
        return state

    def warn_once(self, subject: str) -> bool:
        """Returns whether the user has not been warned of this in the run before; from now on, he has."""
        if subject in self.warned:
            return False
        self.warned.append(subject)
        return True


@dataclass(frozen=True)
class SavedState:
    """What a state file holds: tensors by name, and the rest of what the run remembers."""

    tensors: dict[str, Tensor]
    state: RunState


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
        seen_validation=_saw_validation(options.start, options.dataset),
        start_data=to_plain(options.start.record.data) if options.start is not None else {},
        start_divides=options.start is not None and not options.start.record.training.trained_on_validation,
    )


def _saw_validation(start: AutoregressiveImageModel | None, dataset: Dataset) -> bool:
    """Whether a model to start from may have been trained on images that its new run holds out: it remembers one of
    them, or the data are the same, and it was trained on its validation images too, or on another division of them."""
    if start is None or dataset.validation is None:
        return False
    before, data = start.record.data, dataset.preparation
    if count_trained(before, dataset.validation):
        return True
    if not before.source or before.source != data.source:
        return False
    return start.record.training.trained_on_validation or not alike_divided(before, data)


def continued(state: RunState, options: RunOptions) -> RunState:
    """What a run that goes on remembers: what the caller gives anew is taken, the seed and the network stay."""
    if options.seed is not None and options.seed != state.seed:
        warn(f"the run keeps its seed {state.seed}")
    begun, asked = state.training, options.recipe
    state.minutes = options.minutes if options.minutes is not None else state.minutes
    state.max_steps = options.max_steps if options.max_steps is not None else _limit(state, options.out)
    if asked is not None:
        _refuse_other_parts(state, asked)
        # Once measured, precision and compilation change by hand only.
        precision, compiled = asked.training.precision, asked.training.compile
        if precision != "auto" and precision != begun.get("precision"):
            state.precision = precision
        if compiled not in ("auto", begun.get("compile")):
            state.compiled = compiled == "on"
        state.objective = objectives.CONFIGS.to_table(asked.objective)
        state.training, state.augment = to_plain(asked.training), to_plain(asked.augment)
        state.recipe = asked.to_dict()
    _choose_anew(state, begun.get("select"))
    if begun.get("validation_pairs") != state.training.get("validation_pairs"):
        _judge_anew(state)
    if state.stopped and state.stale < (state.training.get("patience") or inf):
        state.stopped = ""
    return state


def _limit(state: RunState, out: Path | None) -> int | None:
    """The limit of steps of the run; None where it had stopped there and is now told to go on."""
    reached = state.max_steps is not None and state.step >= state.max_steps
    if not reached or out is None or not (out / SUMMARY).exists():
        return state.max_steps
    state.validation_pairs = 0  # they may have been few, for few steps
    _judge_anew(state)
    warn(f"the run had ended after {state.step:,} steps, as it was told to; it goes on to its schedule's end")
    return None


def _refuse_other_parts(state: RunState, asked: Recipe) -> None:
    """UserError where the recipe asks for what cannot change in mid-run: steps of another size could not be counted
    with those so far, averaged weights cannot begin, and another objective or network would be another run."""
    begun, training = state.training, asked.training
    if begun.get("batch", training.batch) != training.batch:
        raise UserError(
            f"the run was begun with batches of {begun['batch']}, and --resume goes on so: leave training.batch as it "
            "was (training.accumulate takes a batch in parts, for less memory), or begin anew with --from"
        )
    if begun.get("label_rate", 1.0) != training.label_rate:
        raise UserError(
            f"the run was begun with training.label_rate {begun.get('label_rate', 1.0):g}, and --resume goes on so: "
            "leave it as it was, or begin anew with --from"
        )
    kind = begun.get("optimiser", training.optimiser)
    if kind != training.optimiser and "muon" in (
        kind,
        training.optimiser,
    ):  # adam and adamw have the same moments
        raise UserError(
            f"the run was begun with the optimiser {kind}, and --resume goes on so: leave training.optimiser as "
            "it was, or begin anew with --from"
        )
    if begun.get("include_validation") and not training.include_validation:
        raise UserError(
            "the run was begun with the validation images among those that it trains on (--add-validation), and they "
            "cannot judge it any more: leave training.include_validation as it was, or begin anew with another --out"
        )
    averaged = bool(begun.get("ema") or begun.get("ema_decay"))
    if averaged != bool(training.ema or training.ema_decay):
        raise UserError(
            f"the run was begun {'with' if averaged else 'without'} averaged weights, and --resume goes on so: leave "
            "training.ema as it was, or begin anew with another --out"
        )
    table, own = objectives.CONFIGS.to_table(asked.objective), state.objective["name"]
    if (objective := table["name"]) != own:
        raise UserError(
            f"the run was begun with the objective {own}, and --resume goes on with that: leave it out, or "
            f"begin anew with --from (and --objective {objective})"
        )
    if table.get("temperature") != state.objective.get("temperature"):
        raise UserError(
            f"the run was begun with objective.temperature {state.objective.get('temperature')}, and --resume goes on "
            "from what became of it: leave it as it was, or begin anew with --from"
        )
    known = from_dict(state.recipe, "the run's recipe")  # an earlier version's table has fewer fields
    for part in ("network", "distribution", "fusion"):
        if getattr(known, part) != getattr(asked, part):
            raise UserError(
                f"the run was begun with another {part} ({state.recipe.get(part)}); --resume goes on with that: leave "
                "it out, or begin anew with another --out"
            )


def _judge_anew(state: RunState) -> None:
    """Where other images judge from now on: the figures so far are not comparable with theirs."""
    state.best, state.best_figures, state.stale, state.validated = None, {}, 0, -1


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
