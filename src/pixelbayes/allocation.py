"""The C library's allocator, told to keep what is freed."""

import ctypes
import os
from functools import cache

SETTINGS = {"M_TRIM_THRESHOLD": (-1, 2**31 - 1), "M_TOP_PAD": (-2, 2**26), "M_MMAP_MAX": (-4, 0)}
"""Of glibc's `mallopt` (malloc.h): free memory is not given back, the heap grows in steps of 64 MiB, and large
blocks come from it, too."""


@cache
def keep_freed_memory() -> bool:
    """Let memory that this process frees stay with it, from now on; whether that could be done.

    The features of a batch are tens of megabytes, made and freed in every layer. By default they go back to the
    system, and the first touch of each page that comes again took from a fifth to a third of a forward pass on the CPU
    (docs/results.md). Only glibc knows this; PIXELBAYES_KEEP_MEMORY=0 leaves the allocator alone.
    """
    if os.environ.get("PIXELBAYES_KEEP_MEMORY") == "0":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    for option, value in SETTINGS.values():
        mallopt(option, value)
    return True
