"""What a run does between its steps: each duty says when it is due, and does it."""

import time
from typing import Any

from ..distributed import agree
from ..registry import Registry
from .assess import assess, write_row
from .pacing import (
    PROBE_COST,
    Moment,
    RowPace,
    ValidationPace,
    affordable_pairs,
    pair_seconds,
    reserve,
    run_seconds,
    sheet_due,
    steps_between,
)
from .run import Run
from .sheets import draw_samples, expected_seconds
from .state_files import products_of
from .validation import fewer


class Duty:
    """A duty of a run. Of several ranks each has its own; what they all do together must be due on all at once.

    One from outside is registered under a name, and done where `training.duties` names it:

        @register_duty("hello")
        class Hello(Duty):
            def due(self, moment):
                return moment.step % 100 == 0

            def do(self, moment):
                say(f"hello at step {moment.step}")
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    def due(self, moment: Moment) -> bool:
        """Returns whether it is time. Nothing changes by asking."""
        raise NotImplementedError

    def do(self, moment: Moment) -> None:
        """Do it; the weights and the generators stay as they are."""
        raise NotImplementedError


DUTIES: Registry[type[Duty]] = Registry("duty")
register_duty = DUTIES.register


class Validate(Duty):
    """Figures on the validation images; the best weights are kept, and a state is written."""

    def __init__(self, run: Run, pace: ValidationPace) -> None:
        super().__init__(run)
        self.pace = pace

    def due(self, moment: Moment) -> bool:
        return self.pace.due(moment, self.run.state.validated)

    def do(self, moment: Moment) -> None:
        assess(self.run)
        self.run.pulse()
        self.pace.done(moment.elapsed, self.run.state.elapsed)
        leave_time_to_finish(self.run, self.pace.cost)  # a neighbour may have come or gone


class WriteRow(Duty):
    """A row of the journal with the training loss."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.pace = RowPace()
        self.pace.done(run.progress)

    def due(self, moment: Moment) -> bool:
        return self.pace.due(moment.progress)

    def do(self, moment: Moment) -> None:
        write_row(self.run)
        self.pace.done(moment.progress)


class DrawSheet(Duty):
    """A sheet of samples; the run takes `expected` seconds."""

    def __init__(self, run: Run, expected: float) -> None:
        super().__init__(run)
        self.expected = expected

    def due(self, moment: Moment) -> bool:
        run, state = self.run, self.run.state
        every = run.steps_between_sheets if run.first else 0.0
        cost = state.sheet_last if state.sheet_step >= 0 else expected_seconds(run.model)
        asked = run.config.sample_every is not None
        return sheet_due(moment, every, state.sheet_step, cost, state.sheet_seconds, self.expected, asked)

    def do(self, moment: Moment) -> None:
        begun, run = time.monotonic(), self.run
        name = f"samples/step-{moment.step:07d}.png"
        products_of(run.out).note([name])
        draw_samples(run.averaged, run.out / name, run.state.seed, f"epoch {run.epoch:.1f}")
        run.state.sheet_step, run.state.sheet_last = moment.step, time.monotonic() - begun
        run.state.sheet_seconds += run.state.sheet_last


class SaveState(Duty):
    """A state from which the run can be resumed."""

    def due(self, moment: Moment) -> bool:
        return moment.step > 0 and moment.since_state >= self.run.config.checkpoint_seconds

    def do(self, moment: Moment) -> None:
        self.run.save()


def validation_pace(run: Run) -> ValidationPace:
    """How often the run validates, and on how many images, by what a step is measured to cost."""
    # The slowest rank decides: all count the same steps, or one would wait for a validation that never comes.
    (step_seconds,) = agree(run.fabric, run.measure())
    config, state, passes = run.config, run.state, run.objective.passes
    run.speed = config.batch / step_seconds
    pair = pair_seconds(step_seconds, config.batch, passes)
    if run.validation is not None:
        if not state.validation_pairs:  # a run that goes on keeps its images
            length = (run.budget.seconds, run.budget.max_steps)
            state.validation_pairs = affordable_pairs(run.validation.pairs, pair, *length, step_seconds)
        if state.validation_pairs:
            run.validation = fewer(run.validation, state.validation_pairs, state.seed)
    pairs = run.validation.pairs if run.validation is not None else 0
    asked = config.validate_every is not None
    every = max(1, round((config.validate_every or 1.0) * len(run.images) / config.batch))
    if not asked:
        every = steps_between(round(pairs * PROBE_COST / passes), every, config.batch)
    leave_time_to_finish(run, pairs * pair)
    return ValidationPace(every, step_seconds, cost=pairs * pair, asked=asked)


def leave_time_to_finish(run: Run, validation_seconds: float) -> None:
    """In a run by the clock, what follows the last step belongs to the budget, too."""
    if run.budget.seconds is not None:
        sheet = expected_seconds(run.model)
        run.budget = run.budget.leaving(reserve(validation_seconds, sheet, run.budget.seconds))


def duties_of(run: Run, pace: ValidationPace) -> list[Duty]:
    """Those of every run, in their order, and those that were asked for by name."""
    asked: list[Any] = [DUTIES[name] for name in run.config.duties]
    sheets = DrawSheet(run, run_seconds(run.budget, pace.step_seconds))
    always = [Validate(run, pace), WriteRow(run), sheets]
    return [*always, *(kind(run) for kind in asked), SaveState(run)]
