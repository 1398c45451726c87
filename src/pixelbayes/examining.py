"""A whole evaluation: figures with their intervals, simple classifiers beside the model, pictures, and their files."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .data import ImageSet, canonical
from .distributed import ALONE, Shard
from .errors import UserError
from .evaluating import held_out
from .files import to_json
from .measure import Metrics, Rival, Scores, rivals, surest_mistakes
from .measure.evaluation import measure
from .measure.seen import Seen, accuracy_seen, likelihoods_along
from .model import AutoregressiveImageModel
from .pictures import accuracy_seen as seen_picture
from .pictures import confusion, mistakes_sheet, reliability_diagram
from .products import Products
from .provenance import FEW, Provenance, provenance
from .tasks.classify import Classification, class_log_likelihoods, from_log_likelihoods, ignores_labels
from .tasks.detect.detector import fingerprint
from .views import Views

FILES = ("metrics.json", "predictions.csv", "confusion.png", "reliability.png", "mistakes.png", "seen.png")
"""What an evaluation may write."""
HELP = (
    "more --minutes, augmentation (--augment.flip, --augment.crop 0.2, ...) or the hybrid objective, which trains for "
    "the classes too"
)


@dataclass(frozen=True)
class Evaluation:
    """What was found out about a model on some images. `answers` are None for a model that cannot classify."""

    metrics: Metrics
    images: ImageSet
    answers: Classification | None
    provenance: Provenance
    rivals: tuple[Rival, ...] = ()
    seen: Seen | None = None
    weights: str = ""
    """The fingerprint of the model's weights, by which its figures are known to be of them."""

    def notes(self) -> list[str]:
        """What a reader of the figures should know, a line each."""
        labelled = self.metrics.labelled if self.metrics.classes else self.metrics.images
        lines = self.provenance.notes(self.metrics.images)
        if self.metrics.calibrated is not None and labelled < FEW:
            lines.append(
                f"{labelled} images are few, as the intervals show: train with --folds 5 judges every image by a model "
                "that has not seen it"
            )
        winners = [rival.name for rival in self.rivals if rival.wins]
        if winners:
            lines.append(
                f"better than the model by more than chance: {', '.join(winners)}. What may help: {HELP}"
            )
        return lines

    def as_dict(self) -> dict[str, object]:
        """Plain data: the metrics at the top, and what else was found."""
        return {
            **self.metrics.as_dict(),
            "weights": self.weights,
            "provenance": asdict(self.provenance),
            "baselines": [rival.as_dict() for rival in self.rivals],
            "seen": asdict(self.seen) if self.seen is not None else None,
        }

    def write(self, products: Products) -> list[str]:
        """Write metrics.json, and where there is something to show the other `FILES`. Returns the names."""
        writers: dict[str, Callable[[Path], bool]] = {
            "metrics.json": self._metrics,
            "predictions.csv": self._predictions,
            "confusion.png": self._confusion,
            "reliability.png": self._reliability,
            "mistakes.png": self._mistakes,
            "seen.png": self._seen,
        }
        return [name for name in FILES if _written(products, name, writers[name])]

    def _metrics(self, path: Path) -> bool:
        path.write_text(to_json(self.as_dict()), encoding="utf-8")
        return True

    def _predictions(self, path: Path) -> bool:
        if self.answers is None:
            return False
        self.answers.write_csv(path, self.images.paths, self.images.labels)
        return True

    def _confusion(self, path: Path) -> bool:
        if self.metrics.confusion is None:
            return False
        confusion(self.metrics.confusion, self.metrics.classes, path)
        return True

    def _reliability(self, path: Path) -> bool:
        bins, before, after = self.metrics.reliability, self.metrics.uncalibrated, self.metrics.calibrated
        if before is None or after is None:
            return False
        titles = _title("Bayes' rule alone", before), _title("Calibrated", after)
        reliability_diagram(bins["uncalibrated"], bins["calibrated"], path, titles)
        return True

    def _mistakes(self, path: Path) -> bool:
        if self.answers is None:
            return False
        wrong = surest_mistakes(self.answers.posterior, self.images.labels)
        if not len(wrong):
            return False
        names, rows = self.metrics.classes, wrong[:100]
        captions = [
            (
                names[int(self.images.labels[row])],
                names[int(self.answers.predicted[row])],
                float(self.answers.probability[row]),
            )
            for row in rows
        ]
        title = f"{len(wrong):,} of {self.metrics.labelled:,} images got a wrong name; the surest first"
        mistakes_sheet(self.images.levels[rows], captions, self.images.shape, path, title)
        return True

    def _seen(self, path: Path) -> bool:
        if self.seen is None:
            return False
        seen_picture(self.seen.shares, self.seen.accuracies, self.seen.intervals, self.seen.chance, path)
        return True


def _written(products: Products, name: str, write: Callable[[Path], bool]) -> bool:
    """Whether there was something to write under that name."""
    with TemporaryDirectory() as passing:
        path = Path(passing) / name
        if not write(path):
            return False
        with products.new(name) as temporary:
            temporary.write_bytes(path.read_bytes())
        return True


def _title(name: str, scores: Scores) -> str:
    return f"{name}: ECE {scores.calibration_error:.1%}, NLL {scores.log_loss:.3f}"


def examine(
    model: AutoregressiveImageModel,
    images: ImageSet,
    *,
    train: ImageSet | None = None,
    seen: bool = False,
    batch: int | None = None,
    progress: bool = True,
    shard: Shard = ALONE,
    views: Views = "none",
) -> Evaluation | None:
    """Measure `model` on `images`; with its training images `train` simple classifiers stand beside it.

    With `seen`, accuracy along the raster order, too (no second pass). With `views`, by the mean of the densities over
    them. With `shard`, several processes take some
    batches each, and all but the first get None. Raises UserError where there are no images, or they do not fit.
    """
    if not len(images):
        raise UserError("there are no images to evaluate")
    if seen:
        along = likelihoods_along(model, images.levels, batch, progress, shard)
        nats = along[..., -1]
    else:
        nats = class_log_likelihoods(model, images.levels, batch, progress, shard, views)
    if not shard.first:
        return None
    metrics = measure(model, nats, images.labels)
    answers = None
    if len(model.classes) and not ignores_labels(model):
        answers = from_log_likelihoods(model, nats)
    source = provenance(model, images, train)
    beside: list[Rival] = []
    # On images that it was trained on, a nearest neighbour is always right.
    if train is not None and answers is not None and 2 * (source.trained_on or 0) <= len(images):
        beside = rivals(train, images, answers.predicted)
    curve = accuracy_seen(model, along, images) if seen else None
    return Evaluation(metrics, images, answers, source, tuple(beside), curve, fingerprint(model))


def training_images(
    model: AutoregressiveImageModel, data: Any = None, root: str | None = None
) -> tuple[ImageSet | None, str]:
    """The images that a model was trained on, or None and why they cannot be had; nothing is fetched for them.

    `data`: what is evaluated, which is at hand.
    """
    source = model.record.data.source
    if not source:
        return None, "the model does not know which data it was trained on"
    if source.startswith("hub:") and data is not None and canonical(data) != source:
        return None, f"the training data are {source}"
    try:
        return held_out(model, None, "train", root=root), ""
    except UserError as error:
        return None, str(error)
