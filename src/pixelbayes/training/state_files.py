"""The state of a run, in one file that is whole or not there: what `--resume` continues from.

`OUT/state/000001200.safetensors` holds the tensors (weights, averaged weights, the optimiser's moments) and,
in the same file's header, everything else as JSON. One file, so that one rename makes a state. The last two are
kept; a newest one that cannot be read is passed over for the one before.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.optim import Optimizer

from .. import distributions, networks, objectives
from ..data import AugmentConfig
from ..errors import UserError
from ..files import write_tensors
from ..folders import STATE
from ..fusion import STRATEGIES
from ..model import AutoregressiveImageModel, from_spec
from ..plain import from_plain
from ..progress import warn
from ..recipe import KINDS, from_dict
from ..training_config import TrainingConfig
from .optimise import make_optimiser
from .own_files import products_of
from .run_state import RunState

KEPT = 2


@dataclass(frozen=True)
class SavedState:
    """What a state file holds: tensors by name, and the rest of what the run remembers."""

    tensors: dict[str, Tensor]
    state: RunState


def state_folder(out: Path) -> Path:
    """Where a run's states lie."""
    return out / STATE


def save_state(out: Path, step: int, saved: SavedState) -> Path:
    """Write a state and drop all but the last two. Raises UserError on a full disk, earlier ones staying whole."""
    folder = state_folder(out)
    path = folder / f"{step:09d}.safetensors"
    tensors = {name: value.detach().cpu().contiguous() for name, value in saved.tensors.items()}
    products = products_of(out)
    products.note([f"{STATE}/{path.name}"])
    memory = json.dumps(saved.state.to_dict())
    write_tensors(path, tensors, {"memory": memory, "digest": _digest(tensors, memory)})
    products.drop(f"{STATE}/{old.name}" for old in list_states(out)[:-KEPT])
    return path


def list_states(out: Path) -> list[Path]:
    """The files of the states, oldest first."""
    return sorted(state_folder(out).glob("[0-9]*.safetensors"))


def load_state(out: Path) -> SavedState | None:
    """The newest state that can be read, None where there is none. Raises UserError when all are broken."""
    files = list_states(out)
    for path in reversed(files):
        try:
            return _read(path)
        except (
            SafetensorError,
            OSError,
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            UserError,
        ) as error:
            warn(f"the state {path} cannot be read ({error}); the one before it is tried")
    if files:
        raise UserError(f"none of the states in {state_folder(out)} can be read; train anew with --overwrite")
    return None


def _read(path: Path) -> SavedState:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    text = metadata.get("memory", "null")
    if metadata.get("digest", "") not in ("", _digest(tensors, text)):  # earlier versions wrote none
        raise UserError("its contents were changed or damaged")
    state = RunState.from_dict(json.loads(text))
    check_state(state, tensors)
    return SavedState(tensors, state)


def _digest(tensors: dict[str, Tensor], memory: str) -> str:
    found = blake2b(memory.encode(), digest_size=16)
    for name, value in sorted(tensors.items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        found.update(value.contiguous().view(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def tensors_of(
    model: nn.Module, average: nn.Module | None, objective: objectives.Objective
) -> dict[str, Tensor]:
    """A run's weights and buffers, not copied, by their names in a state: of the model, of its averaged weights, and
    the objective's own. What has several names in a module appears once."""
    modules = {"model": model, "average": average}
    named = {
        f"{place}.{name}": value
        for place, module in modules.items()
        if module is not None
        for name, value in (*module.named_parameters(), *module.named_buffers())
    }
    return named | {f"objective.{name}": value for name, value in objective.own_state().items()}


@torch.no_grad()
def put(own: dict[str, Tensor], tensors: dict[str, Tensor]) -> None:
    """Overwrite the tensors `own` by those of the same names in a state. Raises UserError where they do not fit."""
    if not _same_shapes(own, tensors):
        raise UserError("the state of the run is of another network; train anew with --overwrite")
    for name, value in own.items():
        value.copy_(tensors[name])


def _same_shapes(own: dict[str, Tensor], tensors: dict[str, Tensor]) -> bool:
    """Whether a state has these tensors, and beside them only the optimiser's."""
    given = {name: value.shape for name, value in tensors.items() if not name.startswith("optimiser.")}
    return {name: value.shape for name, value in own.items()} == given


def pack_optimiser(optimiser: Optimizer) -> dict[str, Tensor]:
    """The optimiser's moments by number of the parameter."""
    moments = optimiser.state_dict()["state"]
    return {
        f"optimiser.{number}.{name}": torch.as_tensor(value)
        for number, own in moments.items()
        for name, value in own.items()
    }


def unpack_optimiser(optimiser: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put the moments back; the learning rates and other settings stay the optimiser's own."""
    count = sum(len(group["params"]) for group in optimiser.param_groups)
    # An objective's own parameters, the last ones, may be learned no more.
    moments = {number: own for number, own in _moments(tensors).items() if number < count}
    optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})


def _moments(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """The moments in a state, by the number of their parameter."""
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimiser."):
            _, number, name = key.split(".", 2)
            moments.setdefault(int(number), {})[name] = value
    return moments


def check_state(state: RunState, tensors: dict[str, Tensor]) -> None:
    """Raise UserError (or KeyError, TypeError, ...) where a run could not go on from these.

    Where parts of the model are unknown, since the module that they come from was not imported, nothing can be said.
    """
    config = from_plain(TrainingConfig, state.training, "training")
    from_plain(AugmentConfig, state.augment, "augment")
    if not state.model or not _known(state):
        return
    from_dict(state.recipe, "recipe")
    with torch.random.fork_rng(devices=[]):
        model = AutoregressiveImageModel(from_spec(state.model))
        objective = objectives.CONFIGS.from_table(state.objective, "objective").build(model)
    average = model if config.ema or config.ema_decay else None
    if not _same_shapes(tensors_of(model, average, objective), tensors):
        raise UserError("its tensors are not those of the run's model")
    if not all(
        bool(value.isfinite().all()) for name, value in tensors.items() if not name.startswith("optimiser.")
    ):
        raise UserError("some of its weights are not finite")
    optimiser = make_optimiser(model, config, objective.own_parameters(), objective.rate)
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    _check_moments(parameters, _moments(tensors), state.step)


def _known(state: RunState) -> bool:
    """Whether all parts that the run names are registered."""
    parts: list[tuple[Mapping[str, Any], str]] = [
        (networks.CONFIGS, state.model["network"]["name"]),
        (distributions.CONFIGS, state.model["distribution"]["name"]),
        (STRATEGIES, state.model["fusion"]["strategy"]),
        (objectives.CONFIGS, state.objective["name"]),
        *((known, state.recipe[kind]["name"]) for kind, known in KINDS.items() if kind in state.recipe),
    ]
    return all(name in registry for registry, name in parts)


def _check_moments(parameters: list[Tensor], moments: dict[int, dict[str, Tensor]], step: int) -> None:
    """The moments of Adam: three tensors for each parameter that was ever moved."""
    if step and not moments:
        raise UserError("it holds no moments of the optimiser")
    for place, own in moments.items():
        if own.keys() != {"step", "exp_avg", "exp_avg_sq"}:
            raise UserError("its moments of the optimiser are incomplete")
        # One more may be that of an objective's parameter that is learned no more.
        shape = parameters[place].shape if place < len(parameters) else own["exp_avg"].shape
        if not own["exp_avg"].shape == own["exp_avg_sq"].shape == shape or own["step"].numel() != 1:
            raise UserError("its moments of the optimiser are of another shape")
