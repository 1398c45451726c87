"""A validation (figures, the best weights kept, early stopping), a row of the journal, and the end of a run, when the
best weights are calibrated."""

import json
from dataclasses import asdict, replace
from typing import Any

from torch import Tensor

from .. import checkpoint
from ..files import whole
from ..journals import COLUMNS
from ..measure import Metrics, fit_calibration, scores
from ..model import AutoregressiveImageModel, evaluating
from ..progress import warn
from ..records import TrainingRecord
from ..tasks.classify import ignores_labels
from .announce import tell_end, tell_validation
from .run import Run
from .run_state import SUMMARY, figure_of_merit
from .sheets import draw_curves, draw_samples
from .validation import fitted_bits, score, scored, validate
from .watch import name_some


def assess(run: Run) -> None:
    """Validate the averaged weights at this step, keep them if they are the best, and write it down."""
    state = run.state
    metrics, nats, fitted = _measure(run)
    figures = _figures(metrics, fitted)
    value = _value(run, metrics)
    better = run.validation is None or (value is not None and (state.best is None or value > state.best))
    state.stale = 0 if better else state.stale + 1
    if better:
        state.best, state.best_step, state.best_figures, run.nats = value, state.step, figures, nats
        keep(run)
    state.validated = state.step
    if run.config.patience and state.stale >= run.config.patience and not state.stopped:
        state.stopped = f"no better {run.config.select} in {state.stale} validations"
    run.pulse()
    write_row(run, figures)
    run.save()  # at once: after a kill the weights that are kept should be those that the state tells of
    if run.first:
        draw_curves(run.out, state.best_step)
        tell_validation(run, figures, better)


def keep(run: Run) -> None:
    """Make the averaged weights the model in the run's folder."""
    if run.first:
        run.averaged.record = replace(run.model.record, training=_record(run))
        checkpoint.save(run.averaged, run.out)


def write_row(run: Run, figures: dict[str, float | None] | None = None) -> None:
    """A row of the journal: the loss since the last row, and figures where there are any."""
    train, parts = run.watch.take_mean(), run.watch.take_parts()
    if run.journal is None:
        return
    values: dict[str, float | None] = {
        "step": run.state.step,
        "epoch": run.epoch,
        "seconds": run.state.elapsed,
        "learning_rate": run.rate,
        "images_per_second": run.speed or None,
        "skipped": run.state.skipped,
        "train_bits_per_dim": train,
        **{f"train_{name}": value for name, value in parts.items()},
        **{name: value for name, value in (figures or {}).items() if name in COLUMNS},
    }
    run.journal.write(values)


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
    accuracies = _calibrate(run, model)
    record = replace(_record(run), calibrated=accuracies is not None, **(accuracies or {}))
    model.record = replace(model.record, training=record)
    if run.first:
        checkpoint.save(model, run.out)
        draw_samples(model, run.out / "samples.png", run.state.seed, f"{run.out.name}, the best weights")
        with whole(run.out / SUMMARY) as temporary:
            temporary.write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")
        tell_end(run, model.calibration if record.calibrated else None, record.calibrated_accuracy)
    return model


def _record(run: Run) -> TrainingRecord:
    """How the model came about."""
    state, plan = run.state, run.validation
    return TrainingRecord(
        config=state.training,
        augment=state.augment,
        objective=state.objective,
        seed=state.seed,
        minutes=state.minutes,
        max_steps=state.max_steps,
        step=state.best_step if state.best_step >= 0 else state.step,
        steps=state.step,
        epochs=round(run.epoch, 3),
        seconds=round(state.elapsed, 1),
        skipped_steps=state.skipped,
        precision=state.precision,
        compiled=state.compiled,
        load=state.load,
        device=str(run.fabric.device.type),
        ranks=run.fabric.world_size,
        images=len(run.images),
        data=state.data,
        parameters=run.model.num_parameters,
        validation=state.best_figures if plan is not None else None,
        validation_of=plan.describe(len(run.model.classes)) if plan is not None else "",
        trained_on_validation=run.config.include_validation or state.seen_validation,
        finished=run.over,
        stopped=state.stopped,
    )


def _measure(run: Run) -> tuple[Metrics | None, Tensor | None, float | None]:
    """Validation figures (None without a validation set or with weights gone astray), the log p(x | c) that they come
    from, and training bits/dim. Once, which validation images are left out is said."""
    if run.validation is None:
        return None, None, None
    with evaluating(run.averaged):
        fitted = fitted_bits(run.fabric, run.averaged, run.probe, run.check)
        metrics, nats = validate(run.fabric, run.averaged, run.validation, run.check)
    lost = (~scored(nats)).nonzero().flatten().tolist() if metrics is not None else []
    if lost and run.state.warn_once("lost"):
        paths = run.validation.images.paths
        warn(
            f"the likelihood of {len(lost)} validation images is not finite, and they are left out of the figures: "
            f"{name_some([paths[index] for index in lost])}"
        )
    return metrics, nats, fitted


def _figures(metrics: Metrics | None, fitted: float | None) -> dict[str, float | None]:
    if metrics is None or metrics.bits_per_dim is None or fitted is None:
        return {}
    uncalibrated = metrics.uncalibrated
    return {
        "validation_bits_per_dim": metrics.bits_per_dim,
        "fitted_bits_per_dim": fitted,
        "gap_bits_per_dim": metrics.bits_per_dim - fitted,
        "validation_accuracy": uncalibrated.accuracy if uncalibrated else None,
        "validation_balanced_accuracy": uncalibrated.balanced_accuracy if uncalibrated else None,
    }


def _value(run: Run, metrics: Metrics | None) -> float | None:
    """The figure that chooses, the larger the better; None when it is not finite or the weights have gone astray."""
    if metrics is None or metrics.bits_per_dim is None or run.watch.astray(metrics.bits_per_dim):
        return None
    uncalibrated, select = metrics.uncalibrated, run.config.select
    by_labels = uncalibrated is not None and select != "bits_per_dim"
    accuracy = getattr(uncalibrated, select) if by_labels else None
    return figure_of_merit(metrics.bits_per_dim, accuracy)


def _calibrate(run: Run, model: AutoregressiveImageModel) -> dict[str, Any] | None:
    """Fit a temperature and offsets on the validation images. Returns the accuracies with them, by their names in the
    record; None where nothing can be fitted."""
    plan = run.validation
    if plan is None or len(model.classes) < 2 or not run.config.calibrate or run.state.best is None:
        return None
    if ignores_labels(model):
        return None
    if run.nats is None:
        run.nats = score(run.fabric, model, plan.images.levels, plan.candidates, run.check)
    sound = scored(run.nats)
    nats, labels = run.nats[sound], plan.images.labels[sound]
    # An image under classes that are no candidates has no likelihood, and one class alone teaches nothing.
    if not nats.isfinite().all() or len(labels[labels >= 0].unique()) < 2:
        return None
    model.calibration = fit_calibration(model.with_prior(nats), labels)
    calibrated = scores(model.calibration.posterior(nats, model.log_prior()), labels)
    assert calibrated is not None  # some labels are known
    return {
        "calibrated_accuracy": calibrated.accuracy,
        "calibrated_balanced_accuracy": calibrated.balanced_accuracy,
    }
