"""How long a run is: by its steps, or by the clock when minutes are given."""

import time
from dataclasses import dataclass, replace

from ..errors import check_above_zero, check_whole


def check_budget(minutes: float | None, max_steps: int | None, seed: int | None) -> None:
    """Raise UserError for a budget or a seed that is none."""
    check_above_zero("the minutes", minutes)
    check_whole("the steps (max-steps)", max_steps, least=1)
    check_whole("the seed", seed, least=0)


@dataclass(frozen=True)
class Budget:
    """What a run may take; how far it has come is a function of its steps and seconds.

    By steps, a run is a function of its seed alone and can be resumed bit for bit. By the clock it depends on
    the machine's speed; the clock goes on where it stood when a run is resumed.

    >>> Budget(steps=200).progress(50, elapsed=1e6), Budget(steps=200, seconds=100.0).progress(50, elapsed=75.0)
    (0.25, 0.75)
    """

    steps: int
    """Of the schedule, where there are no seconds."""
    seconds: float | None = None
    """That the schedule spans instead of steps."""
    max_steps: int | None = None
    """After which the run stops, wherever the schedule is."""
    reserve: float = 0.0
    """Seconds that belong to what follows the last step: a validation, and a sheet of samples."""

    @property
    def limit(self) -> float | None:
        """Seconds in which steps may be taken; None in a run by steps."""
        return None if self.seconds is None else max(1.0, self.seconds - self.reserve)

    @property
    def last_step(self) -> int:
        """Steps of a run by steps."""
        return min(self.steps, self.max_steps) if self.max_steps is not None else self.steps

    def leaving(self, reserve: float) -> "Budget":
        """Returns the same budget with so many seconds for what follows the last step."""
        return replace(self, reserve=reserve)

    def progress(self, step: int, elapsed: float) -> float:
        """Returns the share of the run that is done before `step`, in [0, 1]."""
        return min(1.0, step / self.steps if self.limit is None else elapsed / self.limit)

    def spent(self, step: int, elapsed: float) -> bool:
        """Returns whether there is nothing left."""
        return self.progress(step, elapsed) >= 1 or (self.max_steps is not None and step >= self.max_steps)

    def total_steps(self, step: int, progress: float) -> float:
        """Returns how many steps the run will have, as far as is known."""
        if self.limit is None or progress <= 0:
            return float(self.steps)
        return max(step / progress, float(step), 1.0)

    def seconds_left(self, step: int, elapsed: float, step_seconds: float) -> float:
        """Returns the seconds that are left at this speed."""
        return (self.last_step - step) * step_seconds if self.limit is None else self.limit - elapsed


class Clock:
    """Seconds of a run over all its sittings; `carried` are those of earlier ones."""

    def __init__(self, carried: float = 0.0) -> None:
        self.carried = carried
        self.begun = time.monotonic()

    def begin(self) -> float:
        """Start this sitting: what came before was preparation. Returns its seconds."""
        prepared = time.monotonic() - self.begun
        self.begun = time.monotonic()
        return prepared

    @property
    def elapsed(self) -> float:
        """Seconds until now."""
        return self.carried + time.monotonic() - self.begun
