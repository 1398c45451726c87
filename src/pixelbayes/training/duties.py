"""What a run does between its steps: each duty says when it is due, and does it."""

import time
from typing import Any

from ..registry import Registry
from .assess import assess, write_row
from .pacing import Moment, RowPace, ValidationPace, reserve, sheet_due
from .run import Run
from .sheets import draw_samples, expected_seconds

SHEETS = 5  # of samples in a run, where nothing else is asked for


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
        run = self.run
        assess(run)
        run.pulse()
        self.pace.done(moment.elapsed, run.state.elapsed)
        leave_time_to_finish(run, self.pace.cost)  # a neighbour may have come or gone


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
    """A sheet of samples."""

    def __init__(self, run: Run, expected: float) -> None:
        super().__init__(run)
        self.expected = expected

    def due(self, moment: Moment) -> bool:
        run, state = self.run, self.run.state
        every = steps_between_sheets(run) if run.first else 0.0
        cost = state.sheet_last if state.sheet_step >= 0 else expected_seconds(run.model)
        asked = run.config.sample_every is not None
        return sheet_due(moment, every, state.sheet_step, cost, state.sheet_seconds, self.expected, asked)

    def do(self, moment: Moment) -> None:
        begun, run = time.monotonic(), self.run
        name = f"samples/step-{moment.step:07d}.png"
        run.note_product(name)
        draw_samples(run.averaged, run.out / name, run.state.seed, f"epoch {run.epoch:.1f}")
        seconds = time.monotonic() - begun
        run.state.sheet_step, run.state.sheet_last = moment.step, seconds
        run.state.sheet_seconds += seconds


def steps_between_sheets(run: Run) -> float:
    """Those that the user asks for (0: no sheets), else for five sheets in the run, an epoch apart or more."""
    config = run.config
    epochs = max(1.0, config.epochs / SHEETS) if config.sample_every is None else config.sample_every
    return epochs * len(run.images) / config.batch


class SaveState(Duty):
    """A state from which the run can be resumed."""

    def due(self, moment: Moment) -> bool:
        return moment.step > 0 and moment.since_state >= self.run.config.checkpoint_seconds

    def do(self, moment: Moment) -> None:
        self.run.save()


def leave_time_to_finish(run: Run, validation_seconds: float) -> None:
    """In a run by the clock, what follows the last step belongs to the budget, too."""
    if run.budget.seconds is not None:
        run.budget = run.budget.leaving(
            reserve(validation_seconds, expected_seconds(run.model), run.budget.seconds)
        )


def duties_of(run: Run, pace: ValidationPace, expected: float) -> list[Duty]:
    """Those of every run, in their order, and those that were asked for by name."""
    asked: list[Any] = [DUTIES[name] for name in run.config.duties]
    return [
        Validate(run, pace),
        WriteRow(run),
        DrawSheet(run, expected),
        *(kind(run) for kind in asked),
        SaveState(run),
    ]
