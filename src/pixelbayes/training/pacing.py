"""When side work is due, so that it keeps to its share of the time: decisions on plain values.

What changes the result (when to validate) depends on steps alone, except in a run by the clock.
"""

from dataclasses import dataclass

from .budget import Budget
from .validation import FORWARD_COST, ONE_SHARE, SHARE

SHEET_SHARE = 0.05  # of the time
ROWS = 100  # of the journal over a run, beside those of validations
LEAST_VALIDATIONS = 10  # in a run by the clock, where they are affordable
FEW_STEPS_SECONDS = 120.0  # that a validation may take in any case
PROBE_COST = 1.2  # of a validation, with the training images beside the validation ones


@dataclass(frozen=True)
class Moment:
    """Where a run stands between two steps; the same on all ranks, but for the last value."""

    step: int
    """Steps done."""
    progress: float
    """Share of the run that is done."""
    elapsed: float
    """Seconds, over all sittings."""
    left: float | None = None
    """Seconds left of a run by the clock; None in a run by steps."""
    over: bool = False
    """Whether this was the last step."""
    since_state: float = 0.0
    """Seconds since a state was written."""


def pair_seconds(step_seconds: float, batch: int, passes: float) -> float:
    """Returns what scoring an image under one class costs, where a step sees `batch` images in `passes` passes each."""
    return step_seconds / passes / batch * FORWARD_COST * PROBE_COST


def affordable_pairs(
    pairs: int, seconds_a_pair: float, seconds: float | None, max_steps: int | None, step_seconds: float
) -> int:
    """Returns how many pairs of an image and a class one validation may score; 0: all of them.

    In a run by the clock it takes a small share of the budget. In a few steps of a large network (`max_steps`) it may
    take as long as they do, or two minutes.

    >>> affordable_pairs(1000, 0.1, 600.0, None, 1.0), affordable_pairs(1000, 0.1, None, None, 1.0)
    (300, 0)
    """
    if seconds is not None:
        return max(1, round(ONE_SHARE * seconds / seconds_a_pair))
    if max_steps is None:
        return 0
    affordable = max(FEW_STEPS_SECONDS, max_steps * step_seconds)
    return 0 if affordable >= pairs * seconds_a_pair else max(1, round(affordable / seconds_a_pair))


@dataclass
class ValidationPace:
    """Every so many steps; in a run by the clock as often as keeps to a tenth of the time, unless the user says how
    often."""

    every: int
    """Steps between validations, in a run by steps."""
    step_seconds: float
    cost: float
    """Seconds of a validation, lately."""
    last: float = 0.0
    """When the last one had ended, in seconds of the run."""
    asked: bool = False
    """Whether the user says how often: then `every` is kept to, also in a run by the clock while its time lasts."""

    def due(self, moment: Moment, validated: int) -> bool:
        """Returns whether it is time to validate; `validated` is the step of the last one. The end is not asked."""
        if moment.step in (0, validated) or moment.over:
            return False
        if moment.left is None:
            return moment.step % self.every == 0
        if self.asked:
            return moment.step % self.every == 0 and moment.left > self.cost
        pause = self.cost * (1 - SHARE) / SHARE
        wait = max(
            pause, min(self.every * self.step_seconds, (moment.elapsed + moment.left) / LEAST_VALIDATIONS)
        )
        return moment.elapsed - self.last >= wait and moment.left > pause / 2

    @property
    def share(self) -> float:
        """Of the time of a run by steps, that validations take."""
        return self.cost / (self.cost + self.every * self.step_seconds) if self.cost else 0.0

    def done(self, begun: float, ended: float) -> None:
        """Note when one began and ended, in seconds of the run."""
        self.last, self.cost = ended, ended - begun


@dataclass
class RowPace:
    """A row at each hundredth of a run."""

    last: int = 0

    def due(self, progress: float) -> bool:
        """Returns whether there is a row to write."""
        return int(progress * ROWS) > self.last

    def done(self, progress: float) -> None:
        """Note that it was written."""
        self.last = int(progress * ROWS)


def sheet_due(
    moment: Moment,
    every: float,
    last_step: int,
    last_cost: float,
    spent: float,
    expected: float,
    asked: bool = False,
) -> bool:
    """Returns whether a sheet of samples is wanted and affordable; one at the start, too.

    `every`: steps between them (0: none); `last_step` (-1: there was none) and `last_cost` are of the last one; `spent`
    are seconds of all of them, and `expected` of the whole run. Before the first, `last_cost` is a guess. Where the
    user says how often (`asked`), they are drawn whatever they cost, while the time of a run by the clock lasts.
    """
    if not every or moment.over:
        return False
    if asked:
        in_time = moment.left is None or moment.left > last_cost
        return in_time and (last_step < 0 or moment.step - last_step >= every)
    if last_step < 0:
        return last_cost < SHEET_SHARE * expected
    return moment.step - last_step >= every and spent + last_cost < SHEET_SHARE * moment.elapsed


def run_seconds(budget: Budget, step_seconds: float) -> float:
    """Returns how long a run will be, as far as is known."""
    return budget.limit if budget.limit is not None else budget.last_step * step_seconds / (1 - SHARE)


def reserve(validation_seconds: float, sheet_guess: float, seconds: float) -> float:
    """Returns the seconds of a run by the clock that belong to what follows the last step."""
    return validation_seconds + min(sheet_guess, SHEET_SHARE * seconds)


@dataclass
class SpeedMeter:
    """Steps a second, lately."""

    step: int = 0
    time: float = 0.0

    def begin(self, step: int, time: float) -> None:
        """Count from here: what came before was no training."""
        self.step, self.time = step, time

    def leave_out(self, seconds: float) -> None:
        """Do not count so many seconds of side work."""
        self.time += seconds

    def look(self, step: int, time: float) -> float | None:
        """Returns steps a second since `begin`, and begins anew; None where that was too short to tell.

        >>> meter = SpeedMeter(10, 0.0)
        >>> meter.look(12, 0.1), meter.look(20, 2.0)
        (None, 5.0)
        """
        passed, steps = time - self.time, step - self.step
        if passed <= 0.5 or not steps:
            return None
        self.begin(step, time)
        return steps / passed
