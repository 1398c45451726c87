"""Generate images of a class: the walk, with every level drawn from the model."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from ..distributed import ALONE, Shard
from ..errors import UserError, check_given, check_whole
from ..inputs import LabelsLike, as_indices, require_model
from ..levels import ImageShape
from ..model import AutoregressiveImageModel
from ..walk import CachedLook, Looks, Row
from .drawing import Drawing, draw


def generate(
    model: AutoregressiveImageModel,
    labels: LabelsLike | int | None = None,
    count: int | None = None,
    seed: int = 0,
    temperature: float = 1.0,
    batch: int = 64,
    size: tuple[int, int] | None = None,
    progress: bool = False,
    on_row: Callable[[int, Row], None] | None = None,
    looks: Looks = CachedLook,
    shard: Shard = ALONE,
) -> Tensor:
    """Draw one image for each label, a name or a number (see `Labels.index`); a single one is one image.

    Without labels, `count` images are drawn, of the classes in turn (0, 1, 2, ..., 0, 1, ...), or one of each
    class where `count` is not given either; with labels `count` is not asked. A model without classes draws `count`.
    Returns integer levels `(n, C, H, W)` on the CPU. The noise belongs to the seed and an image's index;
    images are identical for the same batch shape, threads and device. `size` (height, width) is the model's own unless
    given. Above `temperature` 1 images are
    more varied, below less, at 0 (greedy) alike for every seed. `on_row(first, row)` is called for each finished row of
    the batch that begins at image `first`. With `shard`, several processes draw some batches each, and all return
    the whole. Raises `UserError` for labels that the model does not know, and a seed or `count` below 0.

    Args:
        model: the model, of `pb.load`, `pb.train`, `pb.create` or `pb.adapt`.
        labels: a name or number for each image.
        count: how many, without labels.
        seed: where the noise comes from; the same seed, the same result.
        temperature: above 1 more varied, below less, 0: the most probable level.
        batch: images that are drawn at once.
        size: (height, width), where another than the model's is wanted.
        progress: show how far it is.
        on_row: called as `on_row(first, row)` for each finished row.
        looks: how pixels are looked at; the cached walk.
        shard: which part of several processes this one does; alone, all.

    >>> import pixelbayes as pb
    >>> pb.generate(pb.create("digits"), labels=[3, 7]).shape
    torch.Size([2, 1, 8, 8])
    """
    require_model(model)
    check_whole("the count", count, least=0)
    how = Drawing(seed, temperature, batch, "generating" if progress else None, on_row, looks, shard)
    shape = model.shape if size is None else _resized(model.shape, size)
    label, total = _labels(model, labels, count)
    return draw(model, label, total, shape, how)


def _resized(shape: ImageShape, size: object) -> ImageShape:
    """The same kind of image in another (height, width)."""
    if not isinstance(size, tuple | list) or len(size) != 2:
        raise UserError(f"size is a height and a width, such as (32, 48), not {size!r}")
    for name, value in zip(("the height", "the width"), size, strict=True):
        check_given(name, value)
        check_whole(name, value, least=1)
    return replace(shape, height=size[0], width=size[1])


def _labels(
    model: AutoregressiveImageModel, labels: LabelsLike | int | None, count: int | None
) -> tuple[Tensor | None, int]:
    """The class of each image `(n,)`, None for a model without classes, and how many images there are."""
    if model.classes:
        in_turn = torch.arange(len(model.classes) if count is None else count) % len(model.classes)
        chosen = torch.atleast_1d(in_turn if labels is None else as_indices(labels, model.classes))
        return model.check_labels(chosen, len(chosen)), len(chosen)
    if labels is not None:
        raise UserError("this model has no classes: it takes no labels (count= says how many images to draw)")
    return None, 1 if count is None else count
