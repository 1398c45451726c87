"""The plan, as it is printed before training starts."""

from typing import Any

from ..data import cuts_nothing
from ..progress import say, spell_seconds, warn
from ..tasks.classify import ignores_labels
from .duties import steps_between_sheets
from .pacing import SHEET_SHARE, ValidationPace, run_seconds
from .run import Run
from .sheets import expected_seconds
from .validation import SHARE


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
    if pace.asked and pace.share > SHARE:
        warn(
            f"a validation every {run.config.validate_every:g} epochs, as asked for, takes about {pace.share:.0%} of "
            f"the time (without --training.validate-every: {SHARE:.0%} at most)"
        )
    steps = steps_between_sheets(run)
    sheet = expected_seconds(run.model)
    share = sheet / (sheet + steps * pace.step_seconds)
    if run.config.sample_every and share > SHEET_SHARE:
        warn(
            f"a sheet of samples every {run.config.sample_every:g} epochs, as asked for, takes about {share:.0%} of "
            f"the time (without --training.sample-every: {SHEET_SHARE:.0%} at most)"
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
    parts += [f"averaged over {config.ema:.0%} of the run"] if config.ema else []
    parts += ["classes balanced"] if config.balanced else []
    parts += [_objective(run)] if run.state.objective["name"] != "likelihood" else []
    parts += [f"augmented: {', '.join(run.state.augment_words)}"] if run.state.augment_words else []
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
    epochs = seconds * speed / len(run.images)
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
