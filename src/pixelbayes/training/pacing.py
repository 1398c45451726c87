"""How long a run is, and when its side work is due, so that this keeps to its share of the time: decisions on plain
values.

By steps, a run is a function of its seed alone and can be resumed bit for bit: what changes the result (when to
validate) depends on steps alone. By the clock it depends on the machine's speed.
"""

import time
from dataclasses import dataclass, replace
from math import inf

from ..errors import check_above_zero, check_whole

SHARE = 0.1  # of the time, for validations
ONE_SHARE = 0.05  # of the time, that a single validation may take in a run by the clock
FORWARD_COST = 1 / 3  # of an image in training: no backward pass
PROBE_COST = 1.2  # of a validation, with the training images beside the validation ones
LEAST_VALIDATIONS = 10  # in a run by the clock, where they are affordable
FEW_STEPS_SECONDS = 120.0  # that a validation may take in any case
SHEET_SHARE = 0.05  # of the time, for sheets of samples
ROWS = 100  # of the journal over a run, beside those of validations


def check_budget(minutes: float | None, max_steps: int | None, seed: int | None) -> None:
    """Raise UserError for a budget or a seed that is none."""
    check_above_zero("the minutes", minutes)
    check_whole("the steps (max-steps)", max_steps, least=1)
    check_whole("the seed", seed, least=0)


@dataclass(frozen=True)
class Budget:
    """What a run may take; how far it has come is a function of its steps and seconds.

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

    def steps_left(self, step: int, elapsed: float, step_seconds: float) -> float:
        """Returns how many steps are to come; of a run by the clock, as far as is known, beside its validations.

        >>> Budget(steps=100).steps_left(40, 9.0, 0.1), round(Budget(100, seconds=20.0).steps_left(40, 9.0, 0.1))
        (60, 99)
        """
        if self.limit is None:
            return self.last_step - step
        steps = max(0.0, self.limit - elapsed) * (1 - SHARE) / step_seconds
        return steps if self.max_steps is None else min(steps, self.max_steps - step)


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


def steps_between(pairs: int, wanted: int, batch: int) -> int:
    """Returns the steps between validations: `wanted`, or more so that they take a tenth of the time at most."""
    affordable = pairs * FORWARD_COST * (1 - SHARE) / SHARE / batch
    return max(1, wanted, round(affordable))


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
        often = (moment.elapsed + moment.left) / LEAST_VALIDATIONS
        wait = max(pause, min(self.every * self.step_seconds, often))
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
    moment: Moment, every: float, last_step: int, last_cost: float, spent: float, expected: float,
    asked: bool = False,
) -> bool:  # fmt: skip
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
    """Returns how long a run will be, as far as is known.

    >>> run_seconds(Budget(100, seconds=60.0), 1.0), round(run_seconds(Budget(100, seconds=60.0, max_steps=9), 1.0))
    (60.0, 10)
    """
    if budget.limit is None:
        return budget.last_step * step_seconds / (1 - SHARE)
    steps = inf if budget.max_steps is None else budget.max_steps
    return min(budget.limit, steps * step_seconds / (1 - SHARE))


def reserve(validation_seconds: float, sheet_guess: float, seconds: float) -> float:
    """Returns the seconds of a run by the clock that belong to what follows the last step."""
    return validation_seconds + min(sheet_guess, SHEET_SHARE * seconds)


@dataclass
class SpeedMeter:
    """Steps a second, lately."""

    step: int = 0
    time: float = 0.0

    def leave_out(self, seconds: float) -> None:
        """Do not count so many seconds of side work."""
        self.time += seconds

    def look(self, step: int, time: float) -> float | None:
        """Returns steps a second since the last look that told them; None where that was too short to tell.

        >>> meter = SpeedMeter(10, 0.0)
        >>> meter.look(12, 0.1), meter.look(20, 2.0)
        (None, 5.0)
        """
        passed, steps = time - self.time, step - self.step
        if passed <= 0.5 or not steps:
            return None
        self.step, self.time = step, time
        return steps / passed
