"""How far a run has come, from 0 to 1: by its steps, or by the clock when minutes are given."""

import time
from dataclasses import dataclass, field

from ..errors import check_above_zero, check_whole


def check_budget(minutes: float | None, max_steps: int | None, seed: int | None) -> None:
    """Raise UserError for a budget or a seed that is none."""
    check_above_zero("the minutes", minutes)
    check_whole("the steps (max-steps)", max_steps, least=1)
    check_whole("the seed", seed, least=0)


@dataclass
class Span:
    """`seconds` is the budget that the run spans; without one it spans `steps`.

    By steps, a run is a function of its seed alone and can be resumed bit for bit. By the clock it depends on
    the machine's speed; the clock goes on where it stood when a run is resumed.
    """

    steps: int
    seconds: float | None = None
    carried: float = 0.0
    """Seconds of earlier sittings of the same run."""
    begun: float = field(default_factory=time.monotonic)

    def begin(self) -> float:
        """Start the clock of this sitting: what came before was preparation. Returns its seconds."""
        prepared = time.monotonic() - self.begun
        self.begun = time.monotonic()
        return prepared

    @property
    def elapsed(self) -> float:
        """Seconds of this run, over all its sittings."""
        return self.carried + time.monotonic() - self.begun

    def progress(self, step: int, elapsed: float | None = None) -> float:
        """The share of the run that is done before `step`, in [0, 1]."""
        if self.seconds is None:
            return min(1.0, step / self.steps)
        return min(1.0, (self.elapsed if elapsed is None else elapsed) / self.seconds)

    def total_steps(self, step: int, progress: float) -> float:
        """How many steps the run will have, as far as is known."""
        if self.seconds is None:
            return float(self.steps)
        return max(step / progress, float(step), 1.0) if progress > 0 else float(self.steps)
