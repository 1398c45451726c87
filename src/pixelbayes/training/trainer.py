"""The loop: steps, and between them validation, sheets and states."""

import time
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
from ..progress import say, spell_seconds
from ..recipe import Recipe
from .announce import announce
from .assess import assess, keep, write_row
from .display import training_ends
from .finish import finish
from .guard import Guard, Interrupted
from .own_files import products_of
from .pacing import Pacing
from .prepare import prepare
from .request import Request
from .run import Run
from .sheets import draw_augmented, draw_samples
from .span import Span, check_budget
from .state import list_states


def train(
    dataset: Dataset,
    recipe: Recipe | None = None,
    out: str | Path | None = None,
    *,
    minutes: float | None = None,
    max_steps: int | None = None,
    seed: int | None = None,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
    start: AutoregressiveImageModel | str | Path | None = None,
) -> AutoregressiveImageModel:
    """Train a model on `dataset` and return it; the folder `out` (by default runs/NAME-001, ...) is that model.

    `recipe`: network, distribution, fusion, training and augmentation; with `resume` it may be None, and is the run's
    own. `minutes`: a budget that the schedule spans instead of epochs; progress is then read from the clock, and a run
    cannot be repeated bit for bit. `max_steps` only stops. `resume` continues from the last state in `out` with what
    the run was begun with. `start`: a model whose weights to begin with.

    Raises UserError for whatever the user can mend, KeyboardInterrupt after Ctrl-C and SystemExit(143) after SIGTERM,
    both once the state is saved.
    """
    check_budget(minutes, max_steps, seed)
    span = Span(1)
    place = pick_device(device)
    model = checkpoint.load(start) if isinstance(start, str | Path) else start
    folder = Path(out) if out is not None else None
    request = Request(dataset, recipe, folder, minutes, max_steps, seed, place, resume, overwrite, model)
    devices = [place] if place.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), FolderLock() as lock, Guard() as guard:
        run = prepare(request, guard, span, lock)
        return _carry_out(run)


def _carry_out(run: Run) -> AutoregressiveImageModel:
    """Train, and whatever happens leave the folder in order."""
    try:
        pacing = Pacing(run)
        announce(run, pacing)
        _open(run)
        _loop(run, pacing)
        model = finish(run)
    except UserError:
        with suppress(UserError):  # such as a full disk, which is the first error already
            _write_rest(run)
        raise
    except Interrupted:
        _leave(run)
    finally:
        training_ends()
        run.batches.close()
        if run.journal is not None:
            run.journal.close()
    return model


def _open(run: Run) -> None:
    """Before the first step: a model and a state in the folder, and what training sees."""
    if run.memory.step > 0:
        return
    run.save()  # first, so that a model without a state is never an interrupted run's
    keep(run)
    if run.first and run.augment is not None:
        draw_augmented(run.images, run.augment, run.out / "augmented.png", run.memory.seed)


def _loop(run: Run, pacing: Pacing) -> None:
    """Steps until the end of the run; its clock starts here."""
    prepared = run.span.begin()
    if run.span.seconds is not None:
        say(f"prepared in {spell_seconds(prepared)}; the {run.memory.minutes:g} minutes begin now")
    run.pulse()
    pacing.resume()
    while True:
        if run.asked:
            raise Interrupted
        _between(run, pacing)
        if run.over:
            run.watch.settle(run.memory.step)
            return
        run.step()
        if run.look_due or run.over:
            run.pulse()
            pacing.seen()


def _between(run: Run, pacing: Pacing) -> None:
    """What is due before the next step; the state is the same before and after."""
    if pacing.validation_due:
        pacing.time_validation(lambda: assess(run))
    if pacing.row_due:
        write_row(run)
    if pacing.sheet_due:
        begun = time.monotonic()
        name = f"samples/step-{run.memory.step:07d}.png"
        products_of(run.out).note([name])
        draw_samples(run.averaged, run.out / name, run.memory.seed, f"epoch {run.epoch:.1f}")
        pacing.sheet_done(time.monotonic() - begun)
    if pacing.state_due:
        run.save()


def _write_rest(run: Run) -> None:
    """A last row of the journal, for the steps since the one before."""
    if run.watch.count:
        write_row(run)


def _leave(run: Run) -> None:
    """Save and end as the signal asks; the journal has all steps of the state."""
    _write_rest(run)
    run.save()
    if run.memory.best_step < 0:
        keep(run)
    saved = list_states(run.out)
    at = f"the state of step {int(saved[-1].stem):,} is" if saved else "no state is"
    say(
        f"stopped by a signal at step {run.memory.step:,}; {at} saved in {run.out}: continue with "
        f"pixelbayes train DATA --out {quote(str(run.out))} --resume"
    )
    run.guard.leave()
