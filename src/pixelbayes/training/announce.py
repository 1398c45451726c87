"""What a run says: the plan before the first step, each validation, and the end."""

from typing import Any

from ..data import cuts_nothing
from ..fusion import label_parameters
from ..model import Calibration
from ..progress import say, spell_seconds, warn
from ..tasks.classify import ignores_labels
from .pacing import SHARE, SHEET_SHARE, ValidationPace, run_seconds
from .run import Run
from .sheets import MOST_ROWS, expected_seconds

LEARNED_BY_HEART = 0.1  # of the training bits/dim, by which validation lies above them


def announce(run: Run, pace: ValidationPace) -> None:
    """Say what will be done, in a few lines; nothing on other ranks than the first."""
    for line in (_model(run), _training(run), _speed(run, pace), _checks(run, pace)):
        if line:
            say(line)
    _tell_costs(run, pace)
    if ignores_labels(run.model):
        warn(
            "the label enters this network nowhere (strategy 'none'): the model will draw and give likelihoods, but it "
            "cannot classify"
        )
    if run.config.label_rate != 1 and not label_parameters(run.model):
        warn("training.label_rate changes nothing: in this model the label has no weights of its own")
    if run.state.step:
        say(f"resumed at step {run.state.step:,}")
    elif run.validation is None and not run.config.include_validation:
        warn("there is no validation set: the last weights are kept, and nothing is calibrated")
    if run.batches.augment is not None and cuts_nothing(run.batches.augment.config.crop, run.model.shape):
        crop = run.batches.augment.config.crop
        warn(f"augmentation: crop {crop} of {run.model.shape} cuts less than a pixel, and changes nothing")
    if run.state.seen_validation and run.validation is not None:
        warn(
            "the model to start from was trained on images that are held out now (all of them, or another division of "
            "the same data): the validation figures flatter this run"
        )


def _tell_costs(run: Run, pace: ValidationPace) -> None:
    """What validations and sheets take of the time, where they were asked for so often that it is more than the usual
    share."""
    sheet = expected_seconds(run.model)
    sheets = sheet / (sheet + run.steps_between_sheets * pace.step_seconds)
    costs = (
        ("validation", run.config.validate_every, pace.share, SHARE, "validate-every"),
        ("sheet of samples", run.config.sample_every, sheets, SHEET_SHARE, "sample-every"),
    )
    for work, epochs, share, usual, option in costs:
        if epochs and share > usual:
            warn(
                f"a {work} every {epochs:g} epochs, as asked for, takes about {share:.0%} of the time (without "
                f"--training.{option}: {usual:.0%} at most)"
            )


def _model(run: Run) -> str:
    config: dict[str, Any] = run.state.model
    network = {name: value for name, value in config["network"].items() if name != "name"}
    settings = ", ".join(f"{name} {value}" for name, value in network.items())
    fusion = f", labels: {config['fusion']['strategy']}" if run.model.classes else ""
    return (
        f"model: {config['network']['name']} ({settings}), {config['distribution']['name']}{fusion}; "
        f"{run.model.num_parameters:,} parameters, images {run.model.shape}"
    )


def _training(run: Run) -> str:
    config = run.config
    length = f"{run.state.minutes:g} minutes" if run.state.minutes else f"{config.epochs:g} epochs"
    parts = [f"batch {config.batch}", f"{config.optimiser}, {config.schedule} from {config.learning_rate:g}"]
    if config.ema_decay is not None:
        parts.append(f"averaged with a decay of {config.ema_decay:g} a step")
    elif config.ema:
        parts.append(f"averaged over {config.ema:.0%} of the run")
    parts += [f"images at half their size in the first {config.half_until:.0%}"] if config.half_until else []
    parts += ["classes balanced"] if config.balanced else []
    parts += [_objective(run)] if run.state.objective["name"] != "likelihood" else []
    done = [
        name if value is True else f"{name} {value}" for name, value in run.state.augment.items() if value
    ]
    until = f", in the first {config.augment_until:.0%} of the run" if config.augment_until < 1 else ""
    parts += [f"augmented: {', '.join(done)}{until}"] if done else []
    return f"training: {length}, {', '.join(parts)}, {_arithmetic(run)}"


def _objective(run: Run) -> str:
    settings = {name: value for name, value in run.state.objective.items() if name not in ("name", "strong")}
    words = ", ".join(f"{name} {value}" for name, value in settings.items())
    return f"objective {run.state.objective['name']}" + (f" ({words})" if words else "")


def _arithmetic(run: Run) -> str:
    words = "bf16" if run.state.precision == "bf16-mixed" else "float32"
    words += ", compiled" if run.state.compiled else ""
    return f"{words} on {run.fabric.world_size} x {run.fabric.device.type}"


def _speed(run: Run, pace: ValidationPace) -> str:
    speed = run.config.batch / pace.step_seconds
    seconds = max(0.0, run_seconds(run.budget, pace.step_seconds) - run.state.elapsed)
    steps = run.budget.steps_left(run.state.step, run.state.elapsed, pace.step_seconds)
    epochs = steps * run.config.batch / len(run.images)
    return (
        f"speed: {speed:,.0f} images/s measured; about {spell_seconds(seconds)} left, "
        f"{epochs:.1f} epochs of {len(run.images):,} images"
    )


def _checks(run: Run, pace: ValidationPace) -> str:
    if run.validation is None:
        return ""
    of = run.validation.describe(len(run.model.classes))
    every = pace.every * run.config.batch / len(run.images)
    clock = run.state.minutes and not pace.asked
    often = "as the clock allows" if clock else f"every {every:.3g} epochs"
    return f"validation: {often}, {len(run.validation.images):,} images" + (f" ({of})" if of else "")


def tell_validation(run: Run, figures: dict[str, float | None], better: bool) -> None:
    """A validation's figures, and once a word on what is learned by heart."""
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
    if not better and fitted and gap > LEARNED_BY_HEART * fitted and run.state.warn_once("heart"):
        warn(
            f"the training images are being learned by heart: {fitted:.3f} bits/dim on them, {bits:.3f} on validation; "
            "the best weights are kept. More images, dropout, augmentation or fewer filters would help"
        )


def tell_end(run: Run, calibration: Calibration | None, accuracy: float | None) -> None:
    """What came of a run; `accuracy` is that on validation, calibrated."""
    state, figures = run.state, run.state.best_figures
    steps = f"{state.step:,} steps ({run.epoch:.1f} epochs) in {spell_seconds(run.clock.elapsed)}"
    say(f"trained {steps}" + (f"; stopped early: {state.stopped}" if state.stopped else ""))
    if state.skipped:
        say(f"{state.skipped} steps were skipped, since the loss or its gradient was not finite")
    if figures:
        bits = f"{figures['validation_bits_per_dim']:.4f}"
        say(f"best at step {state.best_step:,}: {bits} bits/dim on validation")
    elif run.config.include_validation:
        say("trained on the validation images too: there are no validation figures, and no calibration")
    elif run.validation is not None:
        say("no validation was finite: no validation figures, no best weights to keep, and no calibration")
    else:
        say("there is no validation set: no validation figures, and no calibration")
    if calibration is not None:
        offsets = ", ".join(f"{offset:+.2f}" for offset in calibration.offsets[:MOST_ROWS])
        more = ", ..." if len(calibration.offsets) > MOST_ROWS else ""
        say(
            f"calibrated on validation, stored in the model: temperature {calibration.temperature:.3g}, "
            f"offsets {offsets}{more}"
        )
    if accuracy is not None:
        say(f"accuracy on validation: {accuracy:.1%}, calibrated")
