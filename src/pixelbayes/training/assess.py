"""A validation: figures, the best weights kept, early stopping, and a word on what is learned by heart."""

from dataclasses import replace

from torch import Tensor

from .. import checkpoint
from ..data import ImageSet
from ..journals import COLUMNS
from ..measure import Metrics
from ..model import evaluating
from ..progress import say, warn
from ..records import TrainingRecord
from .options import figure_of_merit
from .run import Run
from .sheets import draw_curves
from .validation import fitted_bits, scored, validate
from .watch import name_some

LEARNED_BY_HEART = 0.1  # of the training bits/dim, by which validation lies above them


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
        _report(run, figures, better)


def keep(run: Run) -> None:
    """Make the averaged weights the model in the run's folder."""
    if run.first:
        run.averaged.record = replace(run.model.record, training=record(run))
        checkpoint.save(run.averaged, run.out)


def record(run: Run, calibrated: bool = False) -> TrainingRecord:
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
        calibrated=calibrated,
    )


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


def _measure(run: Run) -> tuple[Metrics | None, Tensor | None, float | None]:
    """Validation figures (None without a validation set or with weights gone astray) and training bits/dim."""
    if run.validation is None:
        return None, None, None
    with evaluating(run.averaged):
        fitted = fitted_bits(run.fabric, run.averaged, run.probe, run.check)
        metrics, nats = validate(run.fabric, run.averaged, run.validation, run.check)
    if metrics is not None:
        _tell_of_lost(run, run.validation.images, scored(nats))
    return metrics, nats, fitted


def _tell_of_lost(run: Run, images: ImageSet, sound: Tensor) -> None:
    """Once: which validation images are left out of the figures."""
    lost = (~sound).nonzero().flatten().tolist()
    if not lost or "lost" in run.state.warned:
        return
    run.state.warned.append("lost")
    warn(
        f"the likelihood of {len(lost)} validation images is not finite, and they are left out of the figures: "
        f"{name_some([images.paths[index] for index in lost])}"
    )


def _figures(metrics: Metrics | None, fitted: float | None) -> dict[str, float | None]:
    if metrics is None or metrics.bits_per_dim is None or fitted is None:
        return {}
    scores = metrics.uncalibrated
    return {
        "validation_bits_per_dim": metrics.bits_per_dim,
        "fitted_bits_per_dim": fitted,
        "gap_bits_per_dim": metrics.bits_per_dim - fitted,
        "validation_accuracy": scores.accuracy if scores else None,
        "validation_balanced_accuracy": scores.balanced_accuracy if scores else None,
    }


def _value(run: Run, metrics: Metrics | None) -> float | None:
    """The figure that chooses, the larger the better; None when it is not finite or the weights have gone astray."""
    if metrics is None or metrics.bits_per_dim is None or run.watch.astray(metrics.bits_per_dim):
        return None
    scores, select = metrics.uncalibrated, run.config.select
    accuracy = getattr(scores, select) if scores is not None and select != "bits_per_dim" else None
    return figure_of_merit(metrics.bits_per_dim, accuracy)


def _report(run: Run, figures: dict[str, float | None], better: bool) -> None:
    if not figures:
        return
    bits, fitted = figures["validation_bits_per_dim"], figures["fitted_bits_per_dim"]
    accuracy, balanced = figures["validation_accuracy"], figures["validation_balanced_accuracy"]
    text = f"epoch {run.epoch:.1f}, step {run.state.step:,}: validation {bits:.4f} bits/dim (training {fitted:.4f})"
    if accuracy is not None and len(run.model.classes) > 1:
        text += f", accuracy {accuracy:.1%}, balanced {balanced:.1%} (not calibrated)"
    if run.validation is not None and (of := run.validation.describe(len(run.model.classes))):
        text += f" ({of})"
    say(text + (", the best so far" if better else ""))
    gap = (bits or 0.0) - (fitted or 0.0)
    if not better and fitted and gap > LEARNED_BY_HEART * fitted and "heart" not in run.state.warned:
        run.state.warned.append("heart")
        warn(
            f"the training images are being learned by heart: {fitted:.3f} bits/dim on them, {bits:.3f} on validation; "
            "the best weights are kept. More images, dropout, augmentation or fewer filters would help"
        )
