"""What is asked of a model in Python: images in any form, prepared as in its training.

Arrays and tensors come in the layouts, levels and sizes that `train` takes (docs/data.md); what had to be changed is
said. Here words and images become a `Question` and levels; `tasks` know nothing else.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .data import ImageSet, open_images
from .data.arrays import arrays_of, is_torch_set, levels_for
from .distributed import ALONE, Shard
from .errors import UserError, check_whole
from .inputs import Images, LabelsLike, as_indices, as_levels, one_each, require_model
from .likelihood import ImageSource, Precision, Question, collect, log_likelihoods
from .model import AutoregressiveImageModel
from .progress import warn
from .regions import Combine, Region, Slices, pixel_weights
from .tasks.classify import Classification, classify_levels, require_classes
from .tasks.detect import Detector, Judge, require_own
from .tasks.detect.statistics import block_size, blocks
from .tasks.priors import Prior, prior_weights
from .views import Views


def classify(
    model: AutoregressiveImageModel,
    images: Images | ImageSet | ImageSource | Any,
    batch: int | None = None,
    progress: bool = False,
    shard: Shard = ALONE,
    *,
    prior: Prior | None = None,
    regions: Sequence[str | Slices | Region] | None = None,
    combine: Combine = "sum",
    precision: Precision = "float32",
    views: Views = "none",
    detector: Detector | None = None,
    reject: bool = False,
) -> Classification:
    """Images -> Classification, in the same order: which class makes each image most probable?

    images: an array or tensor, prepared as in the training; a path, a word or a list of files, as on the command line;
    an `ImageSet`; a torch `Dataset` or `DataLoader`; a lazy source of levels. Raises UserError for a model without
    classes, and images, priors, regions and detectors that do not fit it.

    Args:
        model: the model, of `pb.load`, `pb.train`, `pb.create` or `pb.adapt`.
        images: see above.
        batch: pairs of an image and a class that go through the network at once; None: so many that memory stays small.
        progress: show how far it is.
        shard: which part of several processes this one does; alone, all.
        prior: what the classes are like before an image is seen: weights, by name or in order, or "uniform"; None: the
            model's.
        regions: the parts that count, such as `["0:16,8:24"]`; None: the whole image.
        combine: "sum" or "mean" of the parts.
        precision: "bf16" is quicker where the processor has it.
        views: "mirror", "turns", "all": the mean of the densities over mirrored or turned images.
        detector: makes the posteriors of foreign images smaller (`pb.fit_detector`, `pb.load_detector`).
        reject: with a detector, answer foreign images with -1, 'none of these'.

    Returns:
        A `Classification`: `.predicted`, `.probability`, `.posterior` `(n, K)`, `.log_likelihoods` `(n, K)` in nats;
        with a detector a `Rejection`, which has these, too.

    Example:
        pb.classify(model, images).predicted_names
    """
    require_classes(model)
    _check_detector(model, detector, reject, whole=regions is None and views == "none")
    weights = None if prior is None else prior_weights(prior, model)
    question = question_of(model, regions, combine, batch, precision, views)
    levels, _ = prepared(model, images, shard.first, lazy=True)
    answer = classify_levels(model, levels, question, weights, progress, shard)
    if detector is None:
        return answer
    return _doubted(model, levels, answer, Judge(detector, reject, batch), shard)


def question_of(
    model: AutoregressiveImageModel,
    regions: Sequence[str | Slices | Region] | None = None,
    combine: Combine = "sum",
    batch: int | None = None,
    precision: Precision = "float32",
    views: Views = "none",
) -> Question:
    """What a classification asks: all classes, of the whole image or of its `regions`, such as `["0:16,8:24"]`, which
    are combined by their sum or mean. Raises UserError for regions that do not fit the model's images."""
    shape = model.shape
    pixels = None if regions is None else pixel_weights(regions, shape.height, shape.width, combine)
    return Question(weights=pixels, batch=batch, precision=precision, views=views)


def _check_detector(
    model: AutoregressiveImageModel, detector: Detector | None, reject: bool, whole: bool
) -> None:
    """Raises UserError for a detector that cannot judge the answers, and where it takes one that is not there."""
    if detector is None and reject:
        raise UserError("reject=True needs detector=: pb.fit_detector(model), or pb.load_detector(folder)")
    if detector is not None:
        require_own(detector, model)
        if not whole:
            raise UserError(
                "a detector judges whole images, upright: leave out regions and views, or the detector"
            )


def _doubted(
    model: AutoregressiveImageModel, levels: Any, answer: Classification, judge: Judge, shard: Shard
) -> Classification:
    """The answers, as sure as the judge lets them be; images are read block by block."""
    nats = answer.log_likelihoods
    p_values = [
        judge.p_values(model, as_levels(levels[part]), nats[part], shard=shard)
        for part in blocks(len(nats), block_size(model, judge.batch))
    ]
    return judge.of(answer, torch.cat([torch.zeros(0, dtype=torch.float64), *p_values]))


def log_prob(
    model: AutoregressiveImageModel,
    images: Images | ImageSet | Any,
    labels: LabelsLike | None = None,
    batch: int | None = None,
) -> Tensor:
    """log p(image | label) in nats, float64 `(n,)` on the CPU, of images in any form, prepared as in the training.

    `labels`: a name or a number for each image (see `Labels.index`), those of the set where it has some; None for a
    model without classes. `batch` images go through the network at once (as many as keep the memory small when None).
    No graph is kept: for gradients call `model.log_prob`. Raises UserError for what does not fit.

    Args:
        model: the model, of `pb.load`, `pb.train`, `pb.create` or `pb.adapt`.
        images: see above.
        labels: see above.
        batch: images that go through the network at once.

    Returns:
        A tensor `(n,)`.

    >>> import numpy as np
    >>> from pixelbayes import create
    >>> log_prob(create("digits", filters=4), np.zeros((2, 8, 8), np.uint8), [0, 1]).shape
    torch.Size([2])
    """
    require_model(model)
    check_whole("the batch", batch, least=1)
    levels, own = prepared(model, images, lazy=True)
    if not model.classes and labels is not None:
        raise UserError("this model has no classes: it takes no labels")
    labels = own if labels is None and model.classes else labels
    index = None if labels is None else as_indices(one_each(labels), model.classes)
    label = model.check_labels(index, len(levels))
    question = Question(candidates=None if label is None else label[:, None], batch=batch)
    return collect(log_likelihoods(model, levels, question), len(levels), 1)[:, 0]


def prepared(
    model: AutoregressiveImageModel, images: Any, speaks: bool = True, lazy: bool = False
) -> tuple[Any, list[Any] | None]:
    """Levels as the model takes them, and the labels that came with the images; what was done is said if `speaks`.

    `lazy`: of many files, levels that are decoded when they are asked for.
    """
    labels = None
    if names_files(images):
        images = open_images(images, model.shape, model.record.data, model.classes, lazy=lazy)
        for notice in images.notices if speaks else ():
            warn(notice)
    if isinstance(images, ImageSet):
        if replace(images.shape, signal=model.shape.signal) != model.shape:
            raise UserError(f"the model takes images of {model.shape}, not {images.shape}")
        return images.levels, [
            images.classes[each] if each >= 0 else None for each in images.labels.tolist()
        ] or None
    if is_torch_set(images):
        images, labels = arrays_of(images)
    if not isinstance(images, Tensor | list | tuple) and not hasattr(images, "__array__"):
        if not (hasattr(images, "__len__") and hasattr(images, "__getitem__")):
            raise UserError(
                f"images must be files, a data set, an array or a tensor of integer levels, not {type(images).__name__}"
            )
        return images, labels  # a lazy source
    levels, notices = levels_for(images, model.shape, model.record.data)
    for notice in notices if speaks else ():
        warn(notice)
    return levels, labels


def names_files(images: Any) -> bool:
    """Whether these are a path or a word as on the command line, or a list of files."""
    each = images if isinstance(images, list | tuple) and len(images) else [images]
    return all(isinstance(file, str | Path) for file in each)
