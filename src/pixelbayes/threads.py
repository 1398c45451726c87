"""How torch's threads wait for each other."""

import os
import sys

SPINS = "10000"
"""Looks that a waiting thread takes before it sleeps; GNU OpenMP's own number is 300,000."""


def wait_briefly() -> bool:
    """Let waiting threads sleep soon, so that several processes can share the cores; whether that could be set.

    By default a thread spins for about a millisecond before it gives its core away. Alone that costs nothing; two
    runs on the same two cores fall to a fortieth of their speed, and with fewer looks to a fifth (docs/results.md).
    GNU OpenMP reads the number once, so it has to be set before torch is imported; what the user set stays.
    """
    if "torch" in sys.modules or {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        return False
    os.environ["GOMP_SPINCOUNT"] = SPINS
    return True
