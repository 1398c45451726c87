"""Whether the tensors of a state are those of the run that its memory tells of."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .. import distributions, networks, objectives
from ..data import AugmentConfig
from ..errors import UserError
from ..fusion import STRATEGIES
from ..model import AutoregressiveImageModel, from_spec
from ..plain import from_plain
from ..recipe import KINDS, from_dict
from ..training_config import TrainingConfig
from .memory import Memory
from .optimiser import make_optimiser


def check_state(memory: Memory, tensors: dict[str, Tensor]) -> None:
    """Raise UserError (or KeyError, TypeError, ...) where a run could not go on from these.

    Where parts of the model are unknown, since the module that they come from was not imported, nothing can be said.
    """
    config = from_plain(TrainingConfig, memory.training, "training")
    from_plain(AugmentConfig, memory.augment, "augment")
    if not memory.model or not _known(memory):
        return
    from_dict(memory.recipe, "recipe")
    with torch.random.fork_rng(devices=[]):
        model = AutoregressiveImageModel(from_spec(memory.model))
        objective = objectives.CONFIGS.from_table(memory.objective, "objective").build(model)
    weights = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    averaged = bool(config.ema or config.ema_decay)
    expected = {
        **{f"model.{name}": value for name, value in weights.items()},
        **({f"average.{name}": value for name, value in weights.items()} if averaged else {}),
        **{f"objective.{name}": value for name, value in objective.own_state().items()},
    }
    given = {name: value for name, value in tensors.items() if not name.startswith("optimiser.")}
    if {n: v.shape for n, v in expected.items()} != {n: v.shape for n, v in given.items()}:
        raise UserError("its tensors are not those of the run's model")
    if not all(bool(value.isfinite().all()) for value in given.values()):
        raise UserError("some of its weights are not finite")
    optimiser = make_optimiser(model, config, objective.own_parameters(), objective.rate)
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    _check_moments(parameters, {n: v for n, v in tensors.items() if n.startswith("optimiser.")}, memory.step)


def _known(memory: Memory) -> bool:
    """Whether all parts that the run names are registered."""
    parts: list[tuple[Mapping[str, Any], str]] = [
        (networks.CONFIGS, memory.model["network"]["name"]),
        (distributions.CONFIGS, memory.model["distribution"]["name"]),
        (STRATEGIES, memory.model["fusion"]["strategy"]),
        (objectives.CONFIGS, memory.objective["name"]),
        *((known, memory.recipe[kind]["name"]) for kind, known in KINDS.items() if kind in memory.recipe),
    ]
    return all(name in registry for registry, name in parts)


def _check_moments(parameters: list[Tensor], tensors: dict[str, Tensor], step: int) -> None:
    """The moments of Adam: three tensors for each parameter that was ever moved."""
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        _, number, name = key.split(".", 2)
        moments.setdefault(int(number), {})[name] = value
    if step and not moments:
        raise UserError("it holds no moments of the optimiser")
    for place, own in moments.items():
        if own.keys() != {"step", "exp_avg", "exp_avg_sq"}:
            raise UserError("its moments of the optimiser are incomplete")
        # One more may be that of an objective's parameter that is learned no more.
        shape = parameters[place].shape if place < len(parameters) else own["exp_avg"].shape
        if not own["exp_avg"].shape == own["exp_avg_sq"].shape == shape or own["step"].numel() != 1:
            raise UserError("its moments of the optimiser are of another shape")
