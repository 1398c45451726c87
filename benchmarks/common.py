"""What the benchmarks share: models, the clock, and the memory used."""

import resource
import time
from collections.abc import Callable

import torch


def best_seconds(
    run: Callable[[], object], device: torch.device, repeats: int = 1, warm_up: bool = True
) -> float:
    """The best wall time of `repeats` runs, after one to warm up."""
    if warm_up:
        run()
    times = []
    for _ in range(repeats):
        synchronise(device)
        start = time.perf_counter()
        run()
        synchronise(device)
        times.append(time.perf_counter() - start)
    return min(times)


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_bytes(device: torch.device) -> int:
    """The most memory used so far: on the device, or by this process (which holds the libraries, too)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
