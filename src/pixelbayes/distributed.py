"""Devices, and the processes (ranks) that torchrun started: which one this is, who does what, and what all agree on."""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor

from .errors import UserError
from .progress import is_first as is_first

T = TypeVar("T")
Arithmetic = Literal["32-true", "bf16-mixed"]
DEVICES = ("auto", "cpu", "cuda", "mps")


def pick_device(word: str = "auto") -> torch.device:
    """`auto`, `cpu`, `cuda`, `cuda:1`, `mps` -> a device that is there. Raises UserError.

    >>> pick_device("cpu")
    device(type='cpu')
    """
    kind, _, number = word.partition(":")
    if kind not in DEVICES or (number and not number.isdigit()):
        raise UserError(f"unknown device '{word}' (accepted: auto, cpu, cuda, cuda:N, mps)")
    if kind == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    count = (
        torch.cuda.device_count()
        if kind == "cuda"
        else int(kind == "cpu" or torch.backends.mps.is_available())
    )
    if int(number or 0) >= count:
        raise UserError(f"there is no device '{word}' here ({count} of that kind); use --device auto")
    return torch.device(word)


def in_float64(values: Tensor) -> Tensor:
    """The same in float64; on the CPU where the device has no such numbers.

    >>> in_float64(torch.ones(1)).dtype
    torch.float64
    """
    return (values.cpu() if values.device.type == "mps" else values).double()


def world_size() -> int:
    """How many processes torchrun (or Slurm with its variables) started for this run."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@dataclass(frozen=True)
class Shard:
    """This process's part of a task: of its chunks every `ranks`-th, from `rank` on.

    The chunks are those of one process, so that the numbers are, too. `device` is where the processes talk
    (nccl: the GPU; gloo: the CPU); the process group is there already if there is more than one.

    >>> Shard(rank=1, ranks=2).of([0, 64, 128])
    [64]
    """

    rank: int = 0
    ranks: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        """Whether this is the process that speaks and writes."""
        return self.rank == 0

    def of(self, chunks: Sequence[T]) -> Sequence[T]:
        """Returns this process's chunks."""
        return chunks[self.rank :: self.ranks]

    def merge(self, part: Tensor) -> Tensor:
        """What every process found, zero where others worked -> all of it, on every process."""
        if self.ranks == 1:
            return part
        whole = part.to(self.device)
        torch.distributed.all_reduce(whole)
        return whole.to(part.device)


ALONE = Shard()


def launch(device: torch.device, precision: Arithmetic) -> Any:
    """Fabric on this device; under torchrun one process for each rank (nccl on CUDA, gloo on the CPU)."""
    from lightning_fabric import Fabric  # seconds to import, so not before it is needed

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # the run's plan says what it would say
    world = world_size()
    local = int(os.environ.get("LOCAL_WORLD_SIZE", str(world)))
    single = [device.index or 0] if device.type == "cuda" else 1
    fabric = Fabric(
        accelerator=device.type,
        devices=single if world == 1 else local,
        num_nodes=max(1, world // local),
        strategy="auto" if world == 1 else "ddp",
        precision=precision,
    )
    fabric.launch()
    return fabric


def my_shard(word: str) -> Shard:
    """A task's device, and this process's part of it if torchrun started several. Raises UserError."""
    device = pick_device(word)
    if world_size() == 1:
        return Shard(device=device)
    fabric = launch(device, "32-true")
    return Shard(fabric.global_rank, fabric.world_size, fabric.device)


def my_part(fabric: Any, total: int) -> slice:
    """This rank's part of `total` rows: consecutive, the first ranks one row longer where they do not divide."""
    share, rest = divmod(total, fabric.world_size)
    start = fabric.global_rank * share + min(fabric.global_rank, rest)
    return slice(start, start + share + (fabric.global_rank < rest))


def agree(fabric: Any, *numbers: float) -> list[float]:
    """The same numbers on every rank: the largest of each."""
    if fabric.world_size == 1:
        return list(numbers)
    exact = torch.float32 if fabric.device.type == "mps" else torch.float64
    table = torch.tensor(numbers, dtype=exact).to(fabric.device)
    return [float(number) for number in fabric.all_reduce(table, reduce_op="max").tolist()]


def on_first(fabric: Any, action: Callable[[], T]) -> T:
    """Do something on the first rank alone; all ranks get the result, or the same UserError."""
    result: T | None = None
    complaint = ""
    if is_first():
        try:
            result = action()
        except UserError as error:
            complaint = str(error)
    if fabric.world_size > 1:
        result, complaint = fabric.broadcast((result, complaint), src=0)
    if complaint:
        raise UserError(complaint)
    return result  # type: ignore[return-value]
