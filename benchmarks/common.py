"""What the benchmarks share: the memory used."""

import resource

import torch


def peak_bytes(device: torch.device) -> int:
    """The most memory used so far: on the device, or by this process (which holds the libraries, too)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
