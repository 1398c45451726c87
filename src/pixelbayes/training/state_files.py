"""The files of a run: which ones it may write, and its states, from which `--resume` continues.

`OUT/state/000001200.safetensors` holds the tensors (weights, averaged weights, the optimiser's moments) and, in the
same file's header, everything else as JSON. One file, so that one rename makes a state. The last two are kept; a newest
one that cannot be read is passed over for the one before.
"""

import json
from collections.abc import Mapping
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
from ..files import sweep, write_tensors
from ..folders import STATE, FolderLock, claim_folder, next_run, run_name
from ..fusion import STRATEGIES
from ..model import AutoregressiveImageModel, from_spec
from ..plain import from_plain
from ..products import Products
from ..progress import warn
from ..recipe import KINDS, from_dict
from ..training_config import TrainingConfig
from .run_state import SUMMARY, RunOptions, RunState, SavedState
from .step import make_optimiser

FIXED = (
    *("config.json", "model.safetensors", "journal.csv", "curves.png", "samples.png", "augmented.png"),
    SUMMARY,
)
NUMBERED = (f"{STATE}/[0-9]*.safetensors", "samples/step-*.png")
FORGOTTEN = (*NUMBERED, "events/*", SUMMARY)
"""What a run that begins anew deletes of the earlier one; the rest is replaced when the new one is there."""
NEWEST = 2  # states that are kept
Moments = dict[int, dict[str, Tensor]]
ADAM = ("exp_avg", "exp_avg_sq")
MUON = ("momentum",)


def products_of(out: Path) -> Products:
    """The list of what runs wrote into this folder: a run may replace that, and nothing else."""
    return Products(out, "run")


def refuse_foreign(out: Path) -> None:
    """Raise UserError where a run would write over files that no run wrote."""
    numbered = [path.relative_to(out).as_posix() for pattern in NUMBERED for path in out.glob(pattern)]
    links = [name for name in (STATE, "samples", "events") if (out / name).is_symlink()]
    products_of(out).refuse_foreign((*FIXED, *sorted(numbered), *links))


def claim(options: RunOptions, lock: FolderLock) -> Path:
    """The run's folder, claimed for this process, and listed what is written under fixed names; a run that begins anew
    forgets the one before. Only when all else is in place, so that a refused run leaves no empty folder behind."""
    free = options.out or next_run(run_name(options.dataset.name))
    out = claim_folder(free, options.overwrite, options.resume)
    lock.take(out)
    sweep(out)
    products, states = products_of(out), list_states(out)
    if options.resume and states:  # an older version kept no list
        products.note(f"{STATE}/{path.name}" for path in states)
    else:
        refuse_foreign(out)
        products.drop(name for pattern in FORGOTTEN for name in products.matching(pattern))
    products.note(FIXED)
    return out


def save_state(out: Path, step: int, saved: SavedState) -> Path:
    """Write a state and drop all but the last two. Raises UserError on a full disk, earlier ones staying whole."""
    path = out / STATE / f"{step:09d}.safetensors"
    tensors = {name: value.detach().cpu().contiguous() for name, value in saved.tensors.items()}
    products = products_of(out)
    products.note([f"{STATE}/{path.name}"])
    memory = json.dumps(saved.state.to_dict())
    write_tensors(path, tensors, {"memory": memory, "digest": _digest(tensors, memory)})
    products.drop(f"{STATE}/{old.name}" for old in list_states(out)[:-NEWEST])
    return path


def list_states(out: Path) -> list[Path]:
    """The files of the states, oldest first."""
    return sorted((out / STATE).glob("[0-9]*.safetensors"))


def load_state(out: Path) -> SavedState | None:
    """The newest state that can be read, None where there is none. Raises UserError when all are broken."""
    files = list_states(out)
    unreadable = (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError, UserError)
    for path in reversed(files):
        try:
            return _read(path)
        except unreadable as error:
            warn(f"the state {path} cannot be read ({error}); the one before it is tried")
    if files:
        raise UserError(f"none of the states in {out / STATE} can be read; train anew with --overwrite")
    return None


def _read(path: Path) -> SavedState:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    text = metadata.get("memory", "null")
    if metadata.get("digest", "") not in ("", _digest(tensors, text)):  # earlier versions wrote none
        raise UserError("its contents were changed or damaged")
    state = RunState.from_dict(json.loads(text))
    _check(state, tensors)
    return SavedState(tensors, state)


def _digest(tensors: dict[str, Tensor], memory: str) -> str:
    digest = blake2b(memory.encode(), digest_size=16)
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _check(state: RunState, tensors: dict[str, Tensor]) -> None:
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
    weights, moments = _parted(tensors)
    if not _same_shapes(tensors_of(model, average, objective), weights):
        raise UserError("its tensors are not those of the run's model")
    if not all(bool(value.isfinite().all()) for value in weights.values()):
        raise UserError("some of its weights are not finite")
    optimiser = make_optimiser(model, config, objective.own_parameters(), objective.rate)
    check_moments(optimiser, moments, state.step)


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


def check_moments(optimiser: Optimizer, moments: Moments, step: int) -> None:
    """The moments of Adam, two for each parameter that was ever moved, and the one of Muon."""
    if step and not moments:
        raise UserError("it holds no moments of the optimiser")
    parameters = [
        (parameter, MUON if group.get("orthogonal") else ADAM)
        for group in optimiser.param_groups
        for parameter in group["params"]
    ]
    for number, own in moments.items():
        # One more may be that of an objective's parameter that is learned no more.
        parameter, names = parameters[number] if number < len(parameters) else (own.get("exp_avg"), ADAM)
        if parameter is None or own.keys() != {"step", *names}:
            raise UserError("its moments of the optimiser are incomplete, or those of another optimiser")
        if any(own[name].shape != parameter.shape for name in names) or own["step"].numel() != 1:
            raise UserError("its moments of the optimiser are of another shape")


def tensors_of(
    model: nn.Module, average: nn.Module | None, objective: objectives.Objective
) -> dict[str, Tensor]:
    """A run's weights and buffers, not copied, by their names in a state: of the model, of its averaged weights, and
    the objective's own. What has several names in a module appears once."""
    modules = {"model": model} | ({"average": average} if average is not None else {})
    named = {
        f"{kind}.{name}": value
        for kind, module in modules.items()
        for name, value in (*module.named_parameters(), *module.named_buffers())
    }
    return named | {f"objective.{name}": value for name, value in objective.own_state().items()}


@torch.no_grad()
def restore(own: dict[str, Tensor], optimiser: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Overwrite the tensors `own` and the optimiser's moments by those of a state; learning rates and other settings
    stay the optimiser's own. Raises UserError where they do not fit."""
    weights, moments = _parted(tensors)
    if not _same_shapes(own, weights):
        raise UserError("the state of the run is of another network; train anew with --overwrite")
    for name, value in own.items():
        value.copy_(weights[name])
    groups = optimiser.state_dict()["param_groups"]
    count = sum(len(group["params"]) for group in groups)
    # An objective's own parameters, the last ones, may be learned no more.
    learned = {number: each for number, each in moments.items() if number < count}
    optimiser.load_state_dict({"state": learned, "param_groups": groups})


def pack_optimiser(optimiser: Optimizer) -> dict[str, Tensor]:
    """The optimiser's moments by number of the parameter."""
    moments = optimiser.state_dict()["state"]
    return {
        f"optimiser.{number}.{name}": torch.as_tensor(value)
        for number, own in moments.items()
        for name, value in own.items()
    }


def _parted(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], Moments]:
    """A state's weights by name, and the optimiser's moments by the number of their parameter."""
    weights, moments = {}, Moments()
    for key, value in tensors.items():
        if key.startswith("optimiser."):
            _, number, name = key.split(".", 2)
            moments.setdefault(int(number), {})[name] = value
        else:
            weights[key] = value
    return weights, moments


def _same_shapes(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return {name: value.shape for name, value in one.items()} == {name: v.shape for name, v in other.items()}
