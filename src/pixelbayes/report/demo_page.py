"""What the demo's report says."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from shlex import quote

from PIL import Image
from torch import Tensor

from .. import __version__
from ..data import Dataset, ImageSet
from ..measure import Metrics
from ..model import AutoregressiveImageModel
from ..pictures import preview
from ..progress import spell_seconds
from ..tasks.classify import Classification
from .page import Command, Comparison, Mistake, Picture, Report

MOST_MISTAKES = 12


@dataclass(frozen=True)
class Shown:
    """A trained model, and what it made of the held-out images."""

    model: AutoregressiveImageModel
    dataset: Dataset
    images: ImageSet
    answers: Classification
    metrics: Metrics
    baselines: Sequence[Comparison]
    folder: Path
    seconds: float

    @property
    def comparisons(self) -> list[Comparison]:
        """The baselines, the worst first, and the model at the end."""
        bits, accuracy = self.metrics.bits_per_dim or 0.0, self.metrics.accuracy
        own = Comparison(
            "pixelbayes", "each pixel given those before it and the class", bits, accuracy, ours=True
        )
        return [*sorted(self.baselines, key=lambda row: -row.bits_per_dim), own]


def page(shown: Shown) -> Report:
    """The report of a demo."""
    metrics, wrong = shown.metrics, _wrong(shown)
    return Report(
        title=f"Handwritten digits, learned in {spell_seconds(shown.seconds)}",
        lead="One network learned how probable each image of each digit is, pixel by pixel. From that alone it "
        "draws new digits, and classifies by asking which class makes an image most probable.",
        figures=[
            (f"{metrics.accuracy or 0:.1%}", "accuracy on held-out digits"),
            (f"{metrics.bits_per_dim or 0:.2f}", "bits per dimension on held-out digits"),
            (f"{sum(weights.numel() for weights in shown.model.parameters()):,}", "parameters"),
            (f"{shown.seconds:.0f} s", "for training and all that follows"),
        ],
        comparisons=shown.comparisons,
        pictures=[
            Picture(
                "Drawn by the model",
                "A row for each class. Every level of every pixel was drawn from the model's own distribution.",
                shown.folder / "samples.png",
            ),
            Picture(
                "Training",
                "Bits per dimension and accuracy; the weights that did best on validation are kept.",
                shown.folder / "curves.png",
            ),
            Picture(
                "Confusion",
                "Held-out digits: what was written, and what was read.",
                shown.folder / "confusion.png",
            ),
        ],
        calibration=_calibration(shown),
        mistakes=[_mistake(shown, index) for index in wrong[:MOST_MISTAKES]],
        mistakes_note=f"{len(wrong)} of the {len(shown.images)} held-out digits got a wrong name."
        + (f" The first {MOST_MISTAKES}:" if len(wrong) > MOST_MISTAKES else ""),
        details=_details(shown),
        commands=next_commands(shown.folder),
        footer=f"Written by pixelbayes {__version__}. This page needs no network: everything is inside it.",
    )


def next_commands(folder: Path) -> list[Command]:
    """What to try with the demo's model."""
    model, out = quote(str(folder)), quote(str(folder.parent / f"{folder.name}-digits"))
    return [
        Command(
            f"pixelbayes generate {model} --per-class 25 --out {out}", "draw 25 new digits of each class"
        ),
        Command(f"pixelbayes classify {model} {out}", "read them back by Bayes' rule"),
        Command(
            f"pixelbayes evaluate {model} --split test", "measure the model on the held-out digits again"
        ),
        Command(
            "pixelbayes train YOUR-IMAGES --minutes 10", "the same for your own: a folder for each class"
        ),
    ]


def _wrong(shown: Shown) -> list[int]:
    """The images with a wrong name, the surest first."""
    answers, labels = shown.answers, shown.images.labels
    wrong = ((answers.predicted != labels) & (labels >= 0)).nonzero()[:, 0]
    return [int(index) for index in wrong[answers.probability[wrong].argsort(descending=True)]]


def _mistake(shown: Shown, index: int) -> Mistake:
    names, answers = shown.model.classes, shown.answers
    return Mistake(
        _png(shown.images.levels[index], shown),
        names[int(shown.images.labels[index])],
        names[int(answers.predicted[index])],
        float(answers.probability[index]),
    )


def _png(image: Tensor, shown: Shown) -> bytes:
    buffer = BytesIO()
    Image.fromarray(preview(image[None], shown.model.shape)[0]).save(buffer, "PNG")
    return buffer.getvalue()


def _calibration(shown: Shown) -> str:
    before, after = shown.metrics.uncalibrated, shown.metrics.calibrated
    if before is None or after is None:
        return "No class is known, so there is nothing to measure."
    return (
        "Log likelihoods of whole images differ by many nats, so Bayes' rule is surer than it should be. A "
        f"temperature ({shown.model.calibration.temperature:.2f}) and an offset for each class were fitted on "
        f"validation images. On the held-out ones the model was {before.confidence:.1%} sure on average before and "
        f"{after.confidence:.1%} after, and right in {after.accuracy:.1%}. The expected calibration error went from "
        f"{before.calibration_error:.3f} to {after.calibration_error:.3f}, the log loss from "
        f"{before.log_loss:.3f} to {after.log_loss:.3f} nats."
    )


def _details(shown: Shown) -> list[tuple[str, str]]:
    """Model, data and training as plain rows."""
    config, training = shown.model.config, shown.model.description.get("training", {})
    splits = ", ".join(f"{len(images):,} {name}" for name, images in shown.dataset.splits.items())
    network = ", ".join(f"{name} {value}" for name, value in vars(config.network).items())
    steps = f"{training.get('steps', 0):,} steps, {training.get('epochs', 0):.1f} epochs"
    return [
        (
            "Images",
            f"{shown.dataset.name}: {splits}; {shown.model.shape}, {len(shown.model.classes)} classes",
        ),
        ("Network", f"{type(config.network).__name__.removesuffix('Config')}: {network}"),
        ("Distribution of a pixel", str(config.distribution)),
        ("Labels", f"{config.fusion.strategy}"),
        ("Training", f"{steps} in {training.get('seconds', 0):.0f} s on {training.get('device', 'cpu')}"),
        ("Weights kept", f"step {training.get('step', 0):,}, the best on validation"),
        ("Calibration", f"temperature {shown.model.calibration.temperature:.2f}"),
    ]
