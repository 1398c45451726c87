"""The end of a run: calibration, the last pictures, and what is said."""

import json
from dataclasses import asdict, replace
from typing import Any

from .. import checkpoint
from ..files import whole
from ..measure import fit_calibration, scores
from ..model import AutoregressiveImageModel, Calibration
from ..progress import say, spell_seconds
from .assess import assess, record
from .own_files import SUMMARY
from .run import Run
from .sheets import MOST_ROWS as MOST_CLASSES
from .sheets import draw_samples
from .validation import score, scored


def finish(run: Run) -> AutoregressiveImageModel:
    """Validate, calibrate the best weights, draw, and return the model as it lies in the run's folder."""
    if run.state.validated != run.state.step:
        assess(run)
    else:
        run.save()
    # Every rank reads what the first one wrote.
    run.fabric.barrier()
    model = checkpoint.load(run.out, run.fabric.device)
    run.fabric.barrier()
    told = _calibrate(run, model)
    kept = replace(record(run, calibrated=told), **_calibrated_figures(run, model, told))
    model.record = replace(model.record, training=kept)
    if run.first:
        checkpoint.save(model, run.out)
        draw_samples(model, run.out / "samples.png", run.state.seed, f"{run.out.name}, the best weights")
        _write_summary(run, asdict(kept))
        _tell(run, model.calibration if told else None)
        if kept.calibrated_accuracy is not None:
            say(f"accuracy on validation: {kept.calibrated_accuracy:.1%}, calibrated")
    return model


def _calibrated_figures(run: Run, model: AutoregressiveImageModel, told: bool) -> dict[str, Any]:
    """The calibrated accuracies on the validation images of this run, which `list runs` shows and `evaluate` finds."""
    if not told or run.validation is None or run.nats is None:
        return {}
    sound = scored(run.nats)
    posterior = model.calibration.posterior(run.nats[sound], model.log_prior())
    found = scores(posterior, run.validation.images.labels[sound])
    if found is None:
        return {}
    return {"calibrated_accuracy": found.accuracy, "calibrated_balanced_accuracy": found.balanced_accuracy}


def _calibrate(run: Run, model: AutoregressiveImageModel) -> bool:
    """Fit a temperature and offsets on the validation images; False where that cannot be."""
    plan = run.validation
    if plan is None or len(model.classes) < 2 or not run.config.calibrate or run.state.best is None:
        return False
    nats = run.nats
    if nats is None:
        nats = run.nats = score(run.fabric, model, plan.images.levels, plan.candidates, run.check)
    sound = scored(nats)
    nats, labels = nats[sound], plan.images.labels[sound]
    if not nats.isfinite().all():  # of an image under classes that are no candidates
        return False
    if len(labels[labels >= 0].unique()) < 2:  # one class alone teaches nothing
        return False
    model.calibration = fit_calibration(model.with_prior(nats), labels)
    return True


def _write_summary(run: Run, training: dict[str, Any]) -> None:
    with whole(run.out / SUMMARY) as temporary:
        temporary.write_text(json.dumps(training, indent=2) + "\n", encoding="utf-8")


def _tell(run: Run, calibration: Calibration | None) -> None:
    state, line = run.state, say
    steps = f"{state.step:,} steps ({run.epoch:.1f} epochs) in {spell_seconds(run.clock.elapsed)}"
    line(f"trained {steps}" + (f"; stopped early: {state.stopped}" if state.stopped else ""))
    figures = state.best_figures
    if state.skipped:
        line(f"{state.skipped} steps were skipped, since the loss or its gradient was not finite")
    if figures:
        line(
            f"best at step {state.best_step:,}: {figures['validation_bits_per_dim']:.4f} bits/dim on validation"
        )
    elif run.config.include_validation:
        line("trained on the validation images too: there are no validation figures, and no calibration")
    elif run.validation is not None:
        line("no validation was finite: no validation figures, no best weights to keep, and no calibration")
    else:
        line("there is no validation set: no validation figures, and no calibration")
    if calibration is not None:
        offsets = ", ".join(f"{offset:+.2f}" for offset in calibration.offsets[:MOST_CLASSES])
        more = ", ..." if len(calibration.offsets) > MOST_CLASSES else ""
        line(
            f"calibrated on validation, stored in the model: temperature {calibration.temperature:.3g}, "
            f"offsets {offsets}{more}"
        )
