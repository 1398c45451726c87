"""The state of a run, in one file that is whole or not there: what `--resume` continues from.

`OUT/state/000001200.safetensors` holds the tensors (weights, averaged weights, the optimiser's moments) and,
in the same file's header, everything else as JSON. One file, so that one rename makes a state. The last two are
kept; a newest one that cannot be read is passed over for the one before.
"""

import json
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.optim import Optimizer

from ..errors import UserError
from ..files import write_tensors
from ..folders import STATE
from ..progress import warn
from .contents import check_state
from .memory import Memory
from .own_files import products_of

KEPT = 2


@dataclass(frozen=True)
class State:
    """Tensors by name, and plain data."""

    tensors: dict[str, Tensor]
    memory: dict[str, Any]


def state_folder(out: Path) -> Path:
    """Where a run's states lie."""
    return out / STATE


def save_state(out: Path, step: int, state: State) -> Path:
    """Write a state and drop all but the last two. Raises UserError on a full disk, earlier ones staying whole."""
    folder = state_folder(out)
    path = folder / f"{step:09d}.safetensors"
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.tensors.items()}
    products = products_of(out)
    products.note([f"{STATE}/{path.name}"])
    memory = json.dumps(state.memory)
    write_tensors(path, tensors, {"memory": memory, "digest": _digest(tensors, memory)})
    products.drop(f"{STATE}/{old.name}" for old in list_states(out)[:-KEPT])
    return path


def list_states(out: Path) -> list[Path]:
    """The files of the states, oldest first."""
    return sorted(state_folder(out).glob("[0-9]*.safetensors"))


def load_state(out: Path) -> State | None:
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


def _read(path: Path) -> State:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    text = metadata.get("memory", "null")
    if metadata.get("digest", "") not in ("", _digest(tensors, text)):  # earlier versions wrote none
        raise UserError("its contents were changed or damaged")
    memory = json.loads(text)
    check_state(Memory.from_dict(memory), tensors)
    return State(tensors, memory)


def _digest(tensors: dict[str, Tensor], memory: str) -> str:
    found = blake2b(memory.encode(), digest_size=16)
    for name, value in sorted(tensors.items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        found.update(value.contiguous().view(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def pack(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """A module's weights and buffers, named with a prefix; what has several names appears once."""
    return {f"{prefix}.{name}": value for name, value in _contents(module).items()}


def unpack(prefix: str, module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Put weights that `pack` named back into a module, in place. Raises UserError where they do not fit."""
    put(prefix, _contents(module), tensors)


def put(prefix: str, own: dict[str, Tensor], tensors: dict[str, Tensor]) -> None:
    """Overwrite the tensors `own` by those named so, with that prefix. Raises UserError where they do not fit."""
    given = {
        name.removeprefix(f"{prefix}."): value
        for name, value in tensors.items()
        if name.startswith(f"{prefix}.")
    }
    if {name: value.shape for name, value in own.items()} != {
        name: value.shape for name, value in given.items()
    }:
        raise UserError("the state of the run is of another network; train anew with --overwrite")
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(given[name])


def _contents(module: nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


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
    moments: dict[int, dict[str, Tensor]] = {}
    count = sum(len(group["params"]) for group in optimiser.param_groups)
    for key, value in tensors.items():
        if key.startswith("optimiser."):
            _, number, name = key.split(".", 2)
            if int(number) < count:  # an objective's own parameters, the last ones, may be learned no more
                moments.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
