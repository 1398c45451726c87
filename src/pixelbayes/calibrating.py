"""`pb.calibrate`: a model's temperature and offsets fitted anew, and what that did."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from . import checkpoint
from .data import ImageSet, canonical
from .distributed import ALONE, Shard
from .errors import UserError
from .evaluating import images_for
from .inputs import LabelsLike, require_model
from .measure import Scores, fit_calibration, scores
from .measure.calibration import cross_fitted
from .model import AutoregressiveImageModel
from .posterior import Calibration
from .records import CalibrationRecord
from .tasks.classify import class_log_likelihoods, require_classes


@dataclass(frozen=True)
class CalibrationResult:
    """A calibration, and the scores of the labelled images: by Bayes' rule `alone`, by the calibration stored `before`,
    by this one (`after`), and by fits that left each image out (`left_out`: the figures to believe)."""

    calibration: Calibration
    images: int
    alone: Scores
    before: Scores
    after: Scores
    left_out: Scores


def calibrate(
    model: str | Path | AutoregressiveImageModel,
    data: Any = None,
    labels: LabelsLike | None = None,
    *,
    split: str | None = None,
    root: str | None = None,
    batch: int | None = None,
    progress: bool = True,
    shard: Shard = ALONE,
) -> CalibrationResult:
    """Fit temperature and offsets of the posterior, softmax(log p(x|c) / T + offsets + log p(c)), to labelled images.

    model: a folder, whose config.json is then written anew (the weights stay as they are), or a model, which is
    changed in memory; data, labels, split: as in `evaluate`, by default what the training held out. Every class counts
    the same, however many images it has: the prior says how frequent they are. A temperature changes no answer, offsets
    may.
    Raises UserError, and changes nothing, where fewer than two of the model's classes occur among the labels.

    Args:
        model: a folder or a model.
        data: labelled images in any form, as in `evaluate`; None: what the training held out.
        labels: names or numbers, where `data` is an array.
        split: of a data set: train, validation or test.
        root: the folder of a standard set's files; None: that of the training.
        batch: pairs of an image and a class that go through the network at once; None: so many that memory stays small.
        progress: show how far it is.
        shard: which part of several processes this one does; alone, all.

    Returns:
        A `CalibrationResult`: the scores before and after, and of images left out of the fit.

    Example:
        pb.calibrate("runs/photos-001", "other-photos/").after.log_loss
    """
    folder = Path(model) if isinstance(model, str | Path) else None
    if folder is not None and not folder.is_dir():
        raise UserError(f"there is no folder {folder}: a calibration is stored in the model's own folder")
    chosen = checkpoint.load(folder, shard.device) if folder is not None else model
    require_model(chosen)
    assert not isinstance(chosen, str | Path)
    require_classes(chosen)
    images = images_for(chosen, data, labels, split, shard, root)
    occurring = [index for index in images.labels.unique().tolist() if index >= 0]
    if len(occurring) < 2:
        present = f"only {chosen.classes[occurring[0]]}" if occurring else "none"
        raise UserError(
            f"a calibration needs labelled images of two classes or more: of the {len(images)} images' labels, "
            f"{present} is a class of the model"
        )
    nats = class_log_likelihoods(chosen, images.levels, batch, progress, shard)
    result = fitted(chosen, nats, images.labels)
    chosen.calibration = result.calibration
    chosen.record = replace(chosen.record, calibration=_account(chosen, images, data, split))
    if folder is not None and shard.first:
        checkpoint.save_config(chosen, folder)
    return result


def fitted(model: AutoregressiveImageModel, nats: Tensor, labels: Tensor) -> CalibrationResult:
    """log p(x | c) [N, K] in nats and labels [N] (-1 unknown) of two classes or more -> CalibrationResult."""
    known, log_prior = labels >= 0, model.log_prior()
    nats, labels = nats[known], labels[known]
    calibration = fit_calibration(nats, labels)
    posteriors = (
        Calibration().posterior(nats, log_prior),
        model.calibration.posterior(nats, log_prior),
        calibration.posterior(nats, log_prior),
        cross_fitted(nats, labels, log_prior),
    )
    alone, before, after, left_out = (scores(posterior, labels) for posterior in posteriors)
    assert alone
    assert before
    assert after
    assert left_out
    return CalibrationResult(calibration, len(labels), alone, before, after, left_out)


def _account(
    model: AutoregressiveImageModel, images: ImageSet, data: Any, split: str | None
) -> CalibrationRecord:
    """What the calibration was fitted on."""
    named = data if data is not None else model.record.data.source or None
    source = canonical(named) if isinstance(named, str | Path) else None
    return CalibrationRecord(source, split, images.fingerprint(), int((images.labels >= 0).sum()))
