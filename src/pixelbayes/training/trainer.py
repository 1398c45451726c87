"""The loop: a step, and between steps the run's duties."""

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from shlex import quote

import torch

from .. import checkpoint
from ..data import Dataset
from ..distributed import agree, pick_device
from ..errors import UserError
from ..folders import FolderLock
from ..model import AutoregressiveImageModel
from ..progress import say, show_progress, spell_seconds
from ..recipe import Recipe
from .announce import announce
from .assess import keep, write_row
from .budget import Clock, check_budget
from .duties import Duty, duties_of, leave_time_to_finish
from .finish import finish
from .guard import Guard, Interrupted
from .optimise import decay_of, set_rate
from .options import RunOptions
from .pacing import PROBE_COST, SpeedMeter, ValidationPace, affordable_pairs, pair_seconds, run_seconds
from .prepare import prepare
from .run import Run
from .seeds import derive
from .sheets import draw_augmented
from .state_files import SavedState, list_states, load_state
from .validation import SHARE, fewer, steps_between


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
    clock = Clock()
    place = pick_device(device)
    folder = Path(out) if out is not None else None
    options = RunOptions(
        dataset=dataset,
        recipe=recipe,
        out=folder,
        minutes=minutes,
        max_steps=max_steps,
        seed=seed,
        device=place,
        resume=bool(resume),
        overwrite=overwrite,
        start=checkpoint.load(start) if isinstance(start, str | Path) else start,
        saved=resume
        if isinstance(resume, SavedState)
        else (load_state(folder) if resume and folder else None),
    )
    devices = [place] if place.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), FolderLock() as lock, Guard() as guard:
        return _carry_out(prepare(options, guard, clock, lock))


def _carry_out(run: Run) -> AutoregressiveImageModel:
    """Train, and whatever happens leave the folder in order."""
    try:
        pace = _pace(run)
        announce(run, pace)
        _open(run)
        _loop(run, duties_of(run, pace, run_seconds(run.budget, pace.step_seconds)))
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
    return model


def _pace(run: Run) -> ValidationPace:
    """How often the run validates, and on how many images, by what a step is measured to cost."""
    # The slowest rank decides: all count the same steps, or one would wait for a validation that never comes.
    (step_seconds,) = agree(run.fabric, run.measure())
    config, state, passes = run.config, run.state, run.objective.passes
    run.speed = config.batch / step_seconds
    pair = pair_seconds(step_seconds, config.batch, passes)
    if run.validation is not None:
        if not state.validation_pairs:  # a run that goes on keeps its images
            budget = run.budget
            state.validation_pairs = affordable_pairs(
                run.validation.pairs, pair, budget.seconds, budget.max_steps, step_seconds
            )
        if state.validation_pairs:
            run.validation = fewer(run.validation, state.validation_pairs, state.seed)
    pairs = run.validation.pairs if run.validation is not None else 0
    asked = config.validate_every is not None
    wanted = max(1, round((config.validate_every or 1.0) * len(run.images) / config.batch))
    every = wanted if asked else steps_between(round(pairs * PROBE_COST / passes), wanted, config.batch)
    leave_time_to_finish(run, pairs * pair)
    return ValidationPace(every, step_seconds, cost=pairs * pair, asked=asked)


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
    run.objective.begin(run.progress)
    batch = run.batches.at(step)
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
    left = run.budget.seconds_left(
        run.state.step, run.state.elapsed, run.config.batch / run.speed / (1 - SHARE)
    )
    text = f"step {run.state.step:,}  {run.watch.recent_bits:.3f} bits/dim  {run.speed:,.0f} images/s"
    show_progress("training", min(run.progress, 0.999), f"{text}  {spell_seconds(left)} left")


def _write_rest(run: Run) -> None:
    """A last row of the journal, for the steps since the one before."""
    if run.watch.count:
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
