"""A dedicated classifier beside the model: the same images, the same questions (report 4's wish)."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from math import sqrt
from pathlib import Path
from time import monotonic

import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from .classifier import Classifier, FitConfig, classifier_beside
from .data import ImageSet
from .distributed import in_float64
from .errors import UserError
from .evaluating import held_out
from .files import to_json
from .measure import fit_calibration, scores
from .model import AutoregressiveImageModel
from .posterior import Calibration
from .progress import track, warn

CORRUPTED = 0.1
"""Share of the values that the noisy images have at random."""
PAIRS_AT_ONCE = 2**16  # pixels of all images and classes in one pass
Answer = tuple[float, float]


@dataclass(frozen=True)
class Row:
    """One question and both answers; None where it cannot be asked. `form`: how a number is written."""

    name: str
    model: float | None
    cnn: float | None
    form: str = ".1%"
    model_interval: Answer | None = None
    cnn_interval: Answer | None = None

    def spelled(self, value: float | None, interval: Answer | None) -> str:
        """A number and below it its 95 % interval, as in the table."""
        if value is None:
            return ""
        ends = f"\n{interval[0]:{self.form}} to {interval[1]:{self.form}}" if interval else ""
        return f"{value:{self.form}}{ends}"


@dataclass(frozen=True)
class Against:
    """The rows of the table, and how many images they are of."""

    rows: tuple[Row, ...]
    images: int
    shared: bool
    """Whether the images that are judged also fitted both calibrations."""

    def notes(self) -> list[str]:
        """What a reader of the table should know, a line each."""
        lines = ["intervals are of these images alone (Wilson, 95 %); another training run would differ, too"]
        if self.shared:
            lines.append(
                "both calibrations were fitted on the images that are judged here, which flatters both alike"
            )
        return lines

    def with_row(self, row: Row) -> "Against":
        """The same table with another accuracy, after the others."""
        position = (
            max(index for index, known in enumerate(self.rows) if known.name.startswith("accuracy")) + 1
        )
        return replace(self, rows=(*self.rows[:position], row, *self.rows[position:]))

    def to_json(self, path: str | Path | None = None) -> str:
        """The numbers as JSON, also written to `path` if given."""
        table = {"images": self.images, "rows": [asdict(row) for row in self.rows], "notes": self.notes()}
        return to_json(table, path)


@dataclass(frozen=True)
class Said:
    """What one of the two says: `joint` [N, K] whose softmax is the posterior, and how strange each image is [N]."""

    joint: Tensor
    strange: Tensor


Look = Callable[[Tensor], Said]


def against_cnn(
    model: AutoregressiveImageModel,
    images: ImageSet,
    *,
    train: ImageSet | None = None,
    foreign: ImageSet | None = None,
    features: "str | Path | Classifier | None" = None,
    fit: FitConfig | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Against:
    """Ask the model and a CNN of the same training images `train` (those of the model) about `images`.

    `features`: the file where the CNN is kept, or a `Classifier`. `foreign`: images of something else. Raises UserError
    for a model without classes, and where no class of the images or no training image is known.
    """
    if len(model.classes) < 2:
        raise UserError("a classifier is compared with a model of two classes or more")
    if not bool(images.known.any()):
        raise UserError("no class of these images is known: there is nothing to compare")
    images = images.labelled
    train = train if train is not None else held_out(model, None, "train")
    if isinstance(features, Classifier):
        cnn = features
    else:
        path = Path(features) if features is not None else None
        cnn = classifier_beside(train, path, fit, model.device, progress)
    if cnn.classes != model.classes.names:
        raise UserError("the classifier knows other classes than the model")
    start = monotonic()
    whole_model = said_by_model(model, images.levels, progress)
    middle = monotonic()
    whole_cnn = said_by_cnn(cnn, images.levels)
    times = middle - start, monotonic() - middle
    fitted, shared = _calibration_images(model, images)
    calibration = fit_calibration(said_by_cnn(cnn, fitted.levels).joint, fitted.labels)
    rows = _classified(whole_model, whole_cnn, model.calibration, calibration, images.labels)
    rows += _damaged(model, cnn, images, seed, progress)
    rows += _strange(model, cnn, images, (whole_model, whole_cnn), foreign, seed, progress)
    return Against((*rows, *_costs(model, cnn, times, len(images))), len(images), shared)


def _calibration_images(model: AutoregressiveImageModel, images: ImageSet) -> tuple[ImageSet, bool]:
    """Those that fitted the model's calibration; whether they are the judged ones."""
    try:
        held = held_out(model).labelled
    except UserError as error:
        warn(f"the CNN is calibrated on the images that are judged ({error})")
        return images, True
    return held, held.fingerprint() == images.fingerprint()


@torch.inference_mode()
def said_by_model(
    model: AutoregressiveImageModel, levels: Tensor, progress: bool = False, rows: int | None = None
) -> Said:
    """The model's log joint of the first `rows` rows of the images (all), and -log p(x) a value, in nats."""
    height = levels.shape[2] if rows is None else rows
    size = max(1, PAIRS_AT_ONCE // (len(model.classes) * levels.shape[2] * levels.shape[3]))
    parts = [
        in_float64(model.class_log_prob_maps(part)[:, :, :height]).sum((2, 3)).cpu()
        for part in track(levels.split(size), "the model's answers", shown=progress)
    ]
    joint = model.with_prior(torch.cat(parts))
    return Said(joint, -joint.logsumexp(1) / (height * levels.shape[1] * levels.shape[3]))


def said_by_cnn(cnn: Classifier, levels: Tensor) -> Said:
    """The logits, and their negative largest probability, the usual sign of a foreign image (Hendrycks 2017)."""
    logits = cnn.logits(levels)
    return Said(logits, -logits.softmax(1).amax(1))


def _wilson(share: float, total: int) -> Answer:
    z = 1.959963984540054
    square = z * z / total
    middle, half = (
        (share + square / 2) / (1 + square),
        z * sqrt(share * (1 - share) / total + square / (4 * total)),
    )
    return max(0.0, middle - half / (1 + square)), min(1.0, middle + half / (1 + square))


def _classified(
    model: Said, cnn: Said, of_model: Calibration, of_cnn: Calibration, labels: Tensor
) -> list[Row]:
    """Accuracy, F1 and calibration on the images as they are."""
    posteriors = of_model.posterior(model.joint), of_cnn.posterior(cnn.joint)
    one, other = (scores(posterior, labels) for posterior in posteriors)
    raw_one, raw_other = scores(model.joint.softmax(1), labels), scores(cnn.joint.softmax(1), labels)
    assert one is not None
    assert other is not None
    assert raw_one is not None
    assert raw_other is not None
    n = len(labels)
    return [
        Row(
            "accuracy",
            one.accuracy,
            other.accuracy,
            ".1%",
            _wilson(one.accuracy, n),
            _wilson(other.accuracy, n),
        ),
        Row("macro F1", one.macro_f1, other.macro_f1, ".3f"),
        Row("calibration error (ECE), calibrated", one.calibration_error, other.calibration_error),
        Row("calibration error, as it comes", raw_one.calibration_error, raw_other.calibration_error),
        Row("log loss in nats, calibrated", one.log_loss, other.log_loss, ".3f"),
    ]


def _damaged(
    model: AutoregressiveImageModel, cnn: Classifier, images: ImageSet, seed: int, progress: bool
) -> list[Row]:
    """Accuracy (Bayes' rule alone, and the largest logit) with the lower half missing, and with noise."""
    height = images.shape.height
    rows, labels = [], images.labels
    if height > 1:
        grey = images.levels.clone()
        grey[:, :, height // 2 :] = (images.shape.levels - 1) // 2  # a CNN must see something there
        half = (
            said_by_model(model, images.levels, progress, height // 2).joint,
            said_by_cnn(cnn, grey).joint,
        )
        rows.append(accuracy_row("accuracy, the lower half missing", *half, labels))
    noisy = corrupted(images.levels, images.shape.levels, CORRUPTED, seed)
    both = said_by_model(model, noisy, progress).joint, said_by_cnn(cnn, noisy).joint
    rows.append(accuracy_row(f"accuracy, {CORRUPTED:.0%} of the values at random", *both, labels))
    return rows


def accuracy_row(name: str, model: Tensor, cnn: Tensor, labels: Tensor) -> Row:
    """Both accuracies, of the largest log joint and of the largest logit."""
    shares = [float((said.argmax(1) == labels).double().mean()) for said in (model, cnn)]
    return Row(
        name, shares[0], shares[1], ".1%", _wilson(shares[0], len(labels)), _wilson(shares[1], len(labels))
    )


def corrupted(levels: Tensor, count: int, share: float, seed: int = 0) -> Tensor:
    """A share of the values drawn anew from all levels, uniformly."""
    noise = torch.Generator().manual_seed(seed)
    anew = torch.randint(count, levels.shape, generator=noise).to(levels.dtype)
    return torch.where(torch.rand(levels.shape, generator=noise) < share, anew, levels)


def shuffled(levels: Tensor, seed: int = 0) -> Tensor:
    """The pixels of each image in a random order: the same colours, and no picture."""
    noise = torch.Generator().manual_seed(seed)
    order = torch.rand(len(levels), levels[0, 0].numel(), generator=noise).argsort(1)
    flat = levels.flatten(2)
    return flat.gather(2, order[:, None].expand_as(flat)).view_as(levels)


def _strange(
    model: AutoregressiveImageModel,
    cnn: Classifier,
    images: ImageSet,
    known: tuple[Said, Said],
    foreign: ImageSet | None,
    seed: int,
    progress: bool,
) -> list[Row]:
    """How well foreign images are told from the images by how strange they are (area under the ROC curve)."""
    sets = {"pixels shuffled": shuffled(images.levels, seed)}
    if foreign is not None and len(foreign):
        sets["other images"] = foreign.levels
    rows = []
    for name, levels in sets.items():
        said = said_by_model(model, levels, progress), said_by_cnn(cnn, levels)
        areas = [_area(one.strange, other.strange) for one, other in zip(known, said, strict=True)]
        rows.append(Row(f"foreign images told apart (AUROC), {name}", areas[0], areas[1], ".3f"))
    return rows


def _area(own: Tensor, other: Tensor) -> float:
    truth = torch.cat([torch.zeros(len(own)), torch.ones(len(other))])
    return float(roc_auc_score(truth.numpy(), torch.cat([own, other]).numpy()))


def _costs(
    model: AutoregressiveImageModel, cnn: Classifier, times: tuple[float, float], images: int
) -> list[Row]:
    training = model.record.training
    minutes = training.seconds / 60 if training.steps else None
    return [
        Row("minutes to train", minutes, cnn.seconds / 60, ".2f"),
        Row("milliseconds to classify an image", times[0] * 1000 / images, times[1] * 1000 / images, ".2f"),
        Row("parameters", model.num_parameters, cnn.parameters, ",.0f"),
    ]
