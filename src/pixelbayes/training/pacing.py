"""When something is due between steps: validation, a row of the journal, a sheet of samples, a state."""

import time
from collections.abc import Callable

from ..distributed import agree
from .display import show_training
from .run import Run
from .sheets import expected_seconds
from .speed import seconds_of
from .validation import FORWARD_COST, ONE_SHARE, SHARE, fewer, steps_between

SHEET_SHARE = 0.05  # of the time
ROWS = 100  # of the journal over a run, beside those of validations
LEAST_VALIDATIONS = 10  # in a run by the clock, where they are affordable
FEW_STEPS_SECONDS = 120.0  # that a validation may take in any case
PROBE_COST = 1.2  # of a validation, with the training images beside the validation ones


class Pacing:
    """Keeps a run's side work within its share of the time.

    What changes the result (when to validate) depends on steps alone, except in a run by the clock.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        # The slowest rank decides: all count the same steps, or one would wait for a validation that never comes.
        (self.step_seconds,) = agree(run.fabric, self._measure())
        self._fit_validation_to_the_clock()
        # An image under one class costs less than a step's image if that is seen under many.
        passes = run.objective.passes
        pairs = round(run.validation.pairs * PROBE_COST / passes) if run.validation is not None else 0
        wanted = round(run.config.validate_every * len(run.images) / run.config.batch)
        self.every = steps_between(pairs, wanted, run.config.batch)
        self.validation_seconds = pairs * FORWARD_COST * self.step_seconds / run.config.batch
        self.last_validation = 0.0
        self.last_state = time.monotonic()
        self.last_row = int(run.progress * ROWS)
        self.resume()
        self.budget = run.span.seconds
        self._leave_time_to_finish()

    def _measure(self) -> float:
        """Seconds of forward and backward on a batch; the weights stay as they are."""
        run = self.run
        run.objective.begin(1.0)  # where a step's cost changes on the way, its last one is the dearest
        batch = run.batch(run.memory.step)

        def action() -> None:
            run.stepper.gradient(batch, run.config.batch)
            if run.stepper.graph is None:
                run.objective.zero_grad(set_to_none=True)

        seconds = seconds_of(action, run.fabric.device)
        run.speed = run.config.batch / seconds
        return seconds

    def _fit_validation_to_the_clock(self) -> None:
        """Let one validation take a small share of the budget; a run that goes on keeps its images.

        In a few steps of a large network (`max_steps`) it may take as long as they do, or two minutes.
        """
        run = self.run
        pass_seconds = self.step_seconds / run.objective.passes / run.config.batch
        pair = pass_seconds * FORWARD_COST * PROBE_COST
        if run.validation is None:
            return
        if not run.memory.validation_pairs:
            if run.span.seconds is not None:
                affordable = ONE_SHARE * run.span.seconds
            elif run.memory.max_steps is not None:
                affordable = max(FEW_STEPS_SECONDS, run.memory.max_steps * self.step_seconds)
            else:
                return
            if run.span.seconds is None and affordable >= run.validation.pairs * pair:
                return
            run.memory.validation_pairs = max(1, round(affordable / pair))
        run.validation = fewer(run.validation, run.memory.validation_pairs, run.memory.seed)

    def _leave_time_to_finish(self) -> None:
        """What follows the last step belongs to the budget of a run by the clock, too: a validation, and a sheet."""
        if self.budget is not None:
            sheet = min(expected_seconds(self.run.model), SHEET_SHARE * self.budget)
            self.run.span.seconds = max(1.0, self.budget - self.validation_seconds - sheet)

    @property
    def expected_seconds(self) -> float:
        """How long the run will be, as far as is known."""
        if self.run.span.seconds is not None:
            return self.run.span.seconds
        limit = self.run.memory.max_steps
        steps = min(self.run.span.steps, limit) if limit is not None else self.run.span.steps
        return steps * self.step_seconds / (1 - SHARE)

    @property
    def left(self) -> float:
        """Seconds left."""
        run = self.run
        if run.span.seconds is not None:
            return run.span.seconds - run.now
        limit = run.memory.max_steps
        steps = min(run.span.steps, limit) if limit is not None else run.span.steps
        return (steps - run.memory.step) * run.config.batch / run.speed / (1 - SHARE) if run.speed else 0.0

    def resume(self) -> None:
        """Begin to count steps and seconds here: what came before was no training."""
        self.seen_step, self.seen_time = self.run.memory.step, time.monotonic()

    def seen(self) -> None:
        """After a look at the device: images/s, and the display."""
        run = self.run
        passed, steps = time.monotonic() - self.seen_time, run.memory.step - self.seen_step
        if passed > 0.5 and steps:
            run.speed = steps * run.config.batch / passed
            self.resume()
        show_training(run.progress, run.memory.step, run.watch.recent_bits, run.speed, self.left)

    @property
    def validation_due(self) -> bool:
        """Whether it is time to validate; the end of a run is not asked here."""
        run = self.run
        if run.memory.validated == run.memory.step or run.memory.step == 0 or run.over:
            return False
        if run.span.seconds is None:
            return run.memory.step % self.every == 0
        pause = self.validation_seconds * (1 - SHARE) / SHARE
        wait = max(pause, min(self.every * self.step_seconds, run.span.seconds / LEAST_VALIDATIONS))
        return run.now - self.last_validation >= wait and run.span.seconds - run.now > pause / 2

    def time_validation(self, action: Callable[[], None]) -> None:
        """Validate, and note what it cost."""
        begun = self.run.now
        action()
        self.run.pulse()
        self.last_validation = self.run.now
        self.validation_seconds = self.run.now - begun
        self._leave_time_to_finish()  # a neighbour may have come or gone
        self.last_state = time.monotonic()
        self.resume()

    @property
    def row_due(self) -> bool:
        """Whether the journal gets a row of the training loss."""
        row = int(self.run.progress * ROWS)
        due = row > self.last_row
        self.last_row = row
        return due

    @property
    def sheet_due(self) -> bool:
        """Whether a sheet of samples is wanted and affordable; one at the start too."""
        run, config, memory = self.run, self.run.config, self.run.memory
        if not run.first or not config.sample_every or run.over:
            return False
        if memory.sheet_step < 0:
            return expected_seconds(run.model) < SHEET_SHARE * self.expected_seconds
        steps = config.sample_every * len(run.images) / config.batch
        last = memory.sheet_last
        return (
            memory.step - memory.sheet_step >= steps and memory.sheet_seconds + last < SHEET_SHARE * run.now
        )

    def sheet_done(self, seconds: float) -> None:
        """Note what a sheet cost."""
        memory = self.run.memory
        memory.sheet_step, memory.sheet_last = memory.step, seconds
        memory.sheet_seconds += seconds
        self.resume()

    @property
    def state_due(self) -> bool:
        """Whether it is time to write a state."""
        due = (
            time.monotonic() - self.last_state >= self.run.config.checkpoint_seconds
            and self.run.memory.step > 0
        )
        if due:
            self.last_state = time.monotonic()
        return due
