"""Complete images: what is known is kept, and the walk draws the rest."""

from dataclasses import replace

import torch
from torch import Tensor

from ..distributed import ALONE, Shard
from ..errors import UserError, check_whole
from ..inputs import Images, LabelsLike, as_indices, as_levels, require_model
from ..levels import ImageShape
from ..likelihood import Question, collect, log_likelihoods, pairs_at_once
from ..model import AutoregressiveImageModel, evaluating
from ..regions import KnownLike, as_mask
from ..walk import Known
from .drawing import Drawing, draw


def complete(
    model: AutoregressiveImageModel,
    images: Images,
    known: KnownLike,
    labels: LabelsLike | int | str | None = None,
    seed: int = 0,
    per_image: int = 1,
    temperature: float = 1.0,
    batch: int = 64,
    progress: bool = False,
    shard: Shard = ALONE,
) -> Tensor:
    """Draw what is not known of images `(n, C, H, W)`, `per_image` times for each.

    `known` is a mask `(H, W)` or `(n, H, W)`, or a region in words: '0:16,:' (rows, columns), 'upto:4,0' (all before
    that pixel). What the images hold elsewhere is not looked at. A pixel is drawn given all that lie before it in
    raster order: what is known below or to the right of it does not change it. Without `labels` (one for all, or one
    for each image) the class is that of `known_class`. Noise, batches and `shard` are as in `generate`.
    Returns integer levels `(n * per_image, C, H, W)` on the CPU, those of an image side by side, known pixels as
    they were. Raises `UserError` for images, labels, masks and numbers that do not fit.

    Args:
        model: the model, of `pb.load`, `pb.train`, `pb.create` or `pb.adapt`.
        images: integer levels, `(n, C, H, W)`.
        known: a mask, or a region in words.
        labels: one class for all or one for each image; None: the most probable one.
        seed: where the noise comes from; the same seed, the same result.
        per_image: completions of each image.
        temperature: above 1 more varied, below less, 0: the most probable level.
        batch: images that are drawn at once.
        progress: show how far it is.
        shard: which part of several processes this one does; alone, all.

    >>> import numpy as np
    >>> import pixelbayes as pb
    >>> digits = np.zeros((2, 1, 8, 8), np.uint8)
    >>> pb.complete(pb.create("digits", filters=4), digits, known="0:4,:", per_image=3).shape
    torch.Size([6, 1, 8, 8])
    """
    require_model(model)
    check_whole("the number of completions per image", per_image, least=1)
    how = Drawing(seed, temperature, batch, "completing" if progress else None, shard=shard)
    given = as_known(model, images, known)
    label = class_of_each(model, given, labels, how)
    shape = _shape_of(model, given)
    every = torch.arange(len(given)).repeat_interleave(per_image)
    return draw(model, None if label is None else label[every], len(every), shape, how, given[every])


def known_class(
    model: AutoregressiveImageModel,
    images: Images,
    known: KnownLike,
    seed: int = 0,
    shard: Shard = ALONE,
) -> Tensor:
    """Returns the class `(n,)` that makes what is known of each image most probable, with the model's prior.

    Where nothing unknown lies before a known pixel, log p(known | class) is exact; else what lies between is drawn once
    under each class, which makes it an estimate, and depends on the seed. Raises `UserError` for a model without
    classes.
    """
    require_model(model)
    if not model.classes:
        raise UserError("this model has no classes: it completes without them")
    return _most_probable(model, as_known(model, images, known), Drawing(seed, shard=shard))


def as_known(model: AutoregressiveImageModel, images: Images, known: KnownLike) -> Known:
    """Returns what is known of some images, zero elsewhere; raises `UserError` for images that do not fit the model."""
    levels = as_levels(images)
    if levels.dim() != 4:
        model.check(levels)
    mask = as_mask(known, len(levels), levels.shape[2], levels.shape[3])
    levels = torch.where(mask[:, None].to(levels.device), levels, torch.zeros_like(levels))
    model.check(levels)
    return Known(levels, mask)


def class_of_each(
    model: AutoregressiveImageModel, given: Known, labels: LabelsLike | int | str | None, how: Drawing
) -> Tensor | None:
    """Returns the class of each image `(n,)`: the one that is given, or the most probable one; None without classes."""
    if not model.classes:
        if labels is not None:
            raise UserError("this model has no classes: leave out the labels")
        return None
    if labels is None:
        return _most_probable(model, given, how)
    label = as_indices(labels, model.classes).reshape(-1)
    return model.check_labels(label.expand(len(given)) if len(label) == 1 else label, len(given))


def _most_probable(model: AutoregressiveImageModel, given: Known, how: Drawing) -> Tensor:
    classes = len(model.classes)
    if len(given) and _nothing_between(given.mask) and bool((given.mask == given.mask[0]).all()):
        question = Question(weights=given.mask[0].double())
        nats = collect(log_likelihoods(model, given.levels, question), len(given), classes)
    else:
        nats = torch.stack([_log_likelihood(model, given, index, how) for index in range(classes)], 1)
    return model.with_prior(nats).argmax(1).to(model.device)


def _log_likelihood(model: AutoregressiveImageModel, given: Known, index: int, how: Drawing) -> Tensor:
    """Returns log p(what is known | a class) of each image `(n,)` in nats, float64.

    Unknown pixels before known ones are drawn from the class's own distribution: over draws, the mean of exp of the
    result is p(what is known | class) itself.
    """
    label = torch.full((len(given),), index, device=model.device)
    levels = given.levels
    if not _nothing_between(given.mask):
        levels = draw(model, label, len(given), _shape_of(model, given), how, given)
    parts = []
    with torch.inference_mode(), evaluating(model):
        for rows in torch.arange(len(given)).split(pairs_at_once(model)):
            nats = model.log_prob_map(levels[rows], label[rows]).cpu().double()
            parts.append((nats * given.mask[rows]).sum((1, 2)))
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.float64)


def _nothing_between(mask: Tensor) -> bool:
    """Whether, in every image, all that is known lies before all that is not, in raster order."""
    known = mask.flatten(1)
    return not bool((known[:, 1:] & ~known[:, :-1]).any())


def _shape_of(model: AutoregressiveImageModel, given: Known) -> ImageShape:
    """The shape of the images, which may be of another size than the model's."""
    height, width = given.levels.shape[2:]
    return replace(model.shape, height=height, width=width)
