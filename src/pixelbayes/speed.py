"""Quick measurements at the start of a run: images/s, and whether bf16 or a compiled network pays."""

import os
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from .distributed import Arithmetic
from .model import AutoregressiveImageModel
from .objectives import Batch, LikelihoodConfig
from .training_config import TrainingConfig

BF16_GAIN = 1.2
BF16_LEAST_FLOP = 2e9
"""A step whose forward pass is below this is not arithmetic but overhead: timing it would be a lottery."""
PRECISION_SECONDS = 10.0  # after which no further turn is begun: large networks take long for a step
COMPILE_GAIN = 1.2
COMPILE_SECONDS = 90.0  # a guess before the first time: it must be won back over the run


BUSY = 0.75
"""Processes for each core from which on a measurement is one of a shared machine."""


def load_a_core() -> float | None:
    """How many processes wanted each core in the last minute; None where the system does not say."""
    try:
        return round(os.getloadavg()[0] / (os.cpu_count() or 1), 2)
    except (OSError, AttributeError):
        return None


def synchronise(device: torch.device) -> None:
    """Wait for what the device still has to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(
    action: Callable[[], object], device: torch.device, repeats: int = 1, warm_up: bool = True
) -> float:
    """Returns the wall time of the quickest of some runs, after one that warms up."""
    if warm_up:
        action()
    times = []
    for _ in range(repeats):
        synchronise(device)
        begun = time.perf_counter()
        action()
        synchronise(device)
        times.append(time.perf_counter() - begun)
    return min(times)


def step_seconds(
    model: AutoregressiveImageModel,
    levels: Tensor,
    labels: Tensor | None,
    bf16: bool = False,
    repeats: int = 1,
) -> float:
    """Seconds of forward and backward of the likelihood on a batch [n, C, H, W]; the weights and the generators stay as
    they are."""
    return _gradient_seconds(LikelihoodConfig().build(model).train(), levels, labels, bf16, repeats)


def _gradient_seconds(
    objective: Any, levels: Tensor, labels: Tensor | None, bf16: bool, repeats: int
) -> float:
    def action() -> None:
        with torch.autocast(levels.device.type, torch.bfloat16, enabled=bf16):
            objective(Batch(levels, labels)).total.mean().backward()
        objective.zero_grad(set_to_none=True)

    with torch.random.fork_rng(devices=[levels.device] if levels.is_cuda else []):
        return seconds_of(action, levels.device, repeats)


def choose_precision(model: AutoregressiveImageModel, levels: Tensor, labels: Tensor | None) -> Arithmetic:
    """`bf16-mixed` where the device computes in it and a step is 1.2x as fast, else `32-true`."""
    if not has_bf16(levels.device) or forward_flop(model, levels, labels) < BF16_LEAST_FLOP:
        return "32-true"
    turns: list[list[float]] = []
    begun = time.monotonic()
    while len(turns) < 3 and time.monotonic() - begun < PRECISION_SECONDS:
        # In turn, so that other work on the machine disturbs both alike.
        turns.append([step_seconds(model, levels, labels, bf16) for bf16 in (False, True)])
    single, half = (min(times) for times in zip(*turns, strict=True))
    return "bf16-mixed" if single / half >= BF16_GAIN else "32-true"


def forward_flop(model: AutoregressiveImageModel, levels: Tensor, labels: Tensor | None) -> float:
    """Multiplications and additions of the forward pass of a batch."""
    one = None if labels is None else labels[:1]
    with FlopCounterMode(display=False) as counter:  # with gradients, to which it fastens its hooks
        model.log_prob_map(levels[:1], one)
    return float(counter.get_total_flops()) * len(levels)


def has_bf16(device: torch.device) -> bool:
    """Whether the device computes in bf16, not just stores it."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    asked = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")  # not in every release
    return any(getattr(torch.cpu, name)() for name in asked if hasattr(torch.cpu, name))


def compile_pays(
    model: AutoregressiveImageModel, levels: Tensor, labels: Tensor | None, config: TrainingConfig, bf16: bool,
    seconds: float | None, images: int,
) -> bool:  # fmt: skip
    """Whether torch.compile makes the run, of `seconds` or of the configured epochs over `images`, 1.2x as fast.

    It is tried only in runs that are long enough to win back what trying costs.
    """
    eager = step_seconds(model, levels, labels, bf16, repeats=3)
    expected = seconds if seconds is not None else eager * config.epochs * images / len(levels)
    if expected < 20 * COMPILE_SECONDS:
        return False
    begun = time.monotonic()
    objective = torch.compile(LikelihoodConfig().build(model).train())
    try:
        compiled = _gradient_seconds(objective, levels, labels, bf16, repeats=3)
    except Exception:  # a compiler that is missing or fails comes as any kind of error
        return False
    cost = time.monotonic() - begun
    return expected / (expected * compiled / eager + cost) >= COMPILE_GAIN
