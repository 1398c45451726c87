"""One process's share of a task that several processes do together (torchrun)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True)
class Share:
    """Of a task's chunks every `ranks`-th, from `rank` on.

    The chunks are those of one process, so that the numbers are, too. `device` is where the processes talk
    (nccl: the GPU; gloo: the CPU); the process group is there already if there is more than one.

    >>> Share(rank=1, ranks=2).of([0, 64, 128])
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
        """This process's chunks."""
        return chunks[self.rank :: self.ranks]

    def merge(self, found: Tensor) -> Tensor:
        """What every process found, zero where others worked -> all of it, on every process."""
        if self.ranks == 1:
            return found
        whole = found.to(self.device)
        torch.distributed.all_reduce(whole)
        return whole.to(found.device)


ALONE = Share()
