"""The loop: a step, and between steps the run's duties."""

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from shlex import quote

import torch

from .. import checkpoint
from ..data import Dataset
from ..distributed import pick_device
from ..errors import UserError
from ..folders import FolderLock
from ..model import AutoregressiveImageModel
from ..progress import say, show_progress, spell_seconds
from ..recipe import Recipe
from .announce import announce
from .assess import finish, keep, write_row
from .batches import derive
from .duties import Duty, duties_of, validation_pace
from .guard import Guard, Interrupted
from .pacing import SHARE, Clock, SpeedMeter, check_budget
from .prepare import prepare
from .run import Run
from .run_state import RunOptions, SavedState
from .sheets import draw_augmented
from .state_files import list_states, load_state
from .step import decay_of, set_rate


def train(
    dataset: Dataset,
    recipe: Recipe | None = None,
    out: str | Path | None = None,
    *,
    minutes: float | None = None,
    max_steps: int | None = None,
    seed: int | None = None,
    device: str = "auto",
    resume: bool | SavedState = False,
    overwrite: bool = False,
    start: AutoregressiveImageModel | str | Path | None = None,
) -> AutoregressiveImageModel:
    """Train a model on `dataset` and return it; the folder `out` (by default runs/NAME-001, ...) is that model.

    `recipe`: network, distribution, fusion, training and augmentation; with `resume` it may be None, and is the run's
    own. `minutes`: a budget that the schedule spans instead of epochs; progress is then read from the clock, and a run
    cannot be repeated bit for bit. `max_steps` only stops. `resume` continues from the last state in `out` (or one
    that was read from there) with what the run was begun with. `start`: a model whose weights to begin with.

    Raises UserError for whatever the user can mend, KeyboardInterrupt after Ctrl-C and SystemExit(143) after SIGTERM,
    both once the state is saved.
    """
    check_budget(minutes, max_steps, seed)
    clock, chosen = Clock(), pick_device(device)
    folder = Path(out) if out is not None else None
    saved = resume if isinstance(resume, SavedState) else None
    if resume and saved is None and folder is not None:
        saved = load_state(folder)
    options = RunOptions(
        dataset=dataset,
        recipe=recipe,
        out=folder,
        minutes=minutes,
        max_steps=max_steps,
        seed=seed,
        device=chosen,
        resume=bool(resume),
        overwrite=overwrite,
        start=checkpoint.load(start) if isinstance(start, str | Path) else start,
        saved=saved,
    )
    devices = [chosen] if chosen.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), FolderLock() as lock, Guard() as guard:
        return _carry_out(prepare(options, guard, clock, lock))


def _carry_out(run: Run) -> AutoregressiveImageModel:
    """Train, and whatever happens leave the folder in order."""
    try:
        pace = validation_pace(run)
        announce(run, pace)
        _open(run)
        _loop(run, duties_of(run, pace))
        model = finish(run)
    except UserError:
        with suppress(UserError):  # such as a full disk, which is the first error already
            _write_rest(run)
        raise
    except Interrupted:
        _leave(run)
    finally:
        show_progress("training", 1.0)
        run.batches.store.close()
        if run.journal is not None:
            run.journal.close()
    if run.guard.asked:  # while the last pictures were drawn: what follows is not wanted
        run.guard.leave()
    return model


def _open(run: Run) -> None:
    """Before the first step: a model and a state in the folder, and what training sees."""
    if run.state.step > 0:
        return
    run.save()  # first, so that a model without a state is never an interrupted run's
    keep(run)
    if run.first and run.batches.augment is not None:
        draw_augmented(run.images, run.batches.augment, run.out / "augmented.png", run.state.seed)


def _loop(run: Run, duties: Sequence[Duty]) -> None:
    """Take a batch, step, then what is due; until the end of the run. Its clock starts here."""
    prepared = run.clock.begin()
    if run.budget.seconds is not None:
        say(f"prepared in {spell_seconds(prepared)}; the {run.state.minutes:g} minutes begin now")
    run.pulse()
    run.saved_at = time.monotonic()
    meter = SpeedMeter(run.state.step, time.monotonic())
    while True:
        if run.asked:
            raise Interrupted
        begun = time.monotonic()
        for duty in duties:
            moment = run.moment()
            if duty.due(moment):
                duty.do(moment)
        meter.leave_out(time.monotonic() - begun)
        if run.over:
            run.watch.settle(run.state.step)
            return
        _step(run)
        if run.look_due or run.over:
            run.pulse()
            _show(run, meter)


def _step(run: Run) -> None:
    """One step of the optimiser: a batch, its losses and their gradient, the update, the average of the weights."""
    step, config = run.state.step, run.config
    progress = run.progress
    run.objective.begin(progress)
    batch = run.batches.at(step, progress)
    if not run.alone:
        torch.manual_seed(derive(run.state.seed, "rank", run.fabric.global_rank, step))
    set_rate(run.stepper.optimiser, run.rate)
    losses, refused = run.stepper(batch, config.batch)
    if run.average is not None:
        total = run.budget.total_steps(step, run.progress)
        decay = config.ema_decay if config.ema_decay is not None else decay_of(config.ema, total)
        run.state.mass = run.average.update(decay, run.state.mass)
    run.watch.add(step, losses, refused)
    run.state.step += 1


def _show(run: Run, meter: SpeedMeter) -> None:
    """Images/s, and how far the run is."""
    steps_a_second = meter.look(run.state.step, time.monotonic())
    if steps_a_second is not None:
        run.speed = steps_a_second * run.config.batch
    step_seconds = run.config.batch / run.speed / (1 - SHARE)  # with its share of validations
    left = run.budget.seconds_left(run.state.step, run.state.elapsed, step_seconds)
    text = f"step {run.state.step:,}  {run.watch.recent_bits:.3f} bits/dim  {run.speed:,.0f} images/s"
    show_progress("training", min(run.progress, 0.999), f"{text}  {spell_seconds(left)} left")


def _write_rest(run: Run) -> None:
    """A last row of the journal, for the steps since the one before."""
    if run.watch.sums:
        write_row(run)


def _leave(run: Run) -> None:
    """Save and end as the signal asks; the journal has all steps of the state."""
    _write_rest(run)
    run.save()
    if run.state.best_step < 0:
        keep(run)
    saved = list_states(run.out)
    at = f"the state of step {int(saved[-1].stem):,} is" if saved else "no state is"
    say(
        f"stopped by a signal at step {run.state.step:,}; {at} saved in {run.out}: continue with "
        f"pixelbayes train DATA --out {quote(str(run.out))} --resume"
    )
    run.guard.leave()
