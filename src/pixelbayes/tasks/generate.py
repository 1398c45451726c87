"""Generate images of a class: the walk, with every level drawn from the model."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from ..errors import UserError
from ..levels import ImageShape
from ..model import AutoregressiveImageModel
from ..progress import bar
from ..walk import Look, Row, cached_look, noise, sample, walk
from .share import ALONE, Share

SHARED_FROM = 32  # images in a batch from which several threads gain more than they cost

Looks = Callable[[AutoregressiveImageModel, tuple[int, int]], Look]


def generate(
    model: AutoregressiveImageModel,
    labels: Tensor | Sequence[int] | None = None,
    count: int | None = None,
    seed: int = 0,
    temperature: float = 1.0,
    batch: int = 64,
    shape: ImageShape | None = None,
    progress: bool = False,
    on_row: Callable[[int, Row], None] | None = None,
    looks: Looks = cached_look,
    share: Share = ALONE,
) -> Tensor:
    """Draw one image for each label; `count` images from a model without classes.

    Returns integer levels `(n, C, H, W)` on the CPU. The noise belongs to the seed and an image's index;
    images are identical for the same batch shape, threads and device. Above `temperature` 1 images are
    more varied, below less. `on_row(first, row)` is called for each finished row of the batch that begins
    at image `first`. With `share`, several processes draw some batches each, and all return
    the whole. Raises `UserError` for labels that the model does not know.

    >>> import pixelbayes as pb
    >>> pb.generate(pb.create("digits"), labels=[3, 7]).shape
    torch.Size([2, 1, 8, 8])
    """
    if not temperature > 0:
        raise UserError(f"the temperature must be above 0, not {temperature}")
    shape = shape or model.shape
    label, total = _labels(model, labels, count)
    size = max(1, min(batch, total))
    was_training = model.training
    model.eval()
    drawn = torch.zeros(total, shape.channels, shape.height, shape.width, dtype=shape.dtype)
    mine = share.of(range(0, total, size))
    with bar("generating", len(mine) * shape.height, progress) as shown, few_threads(size):
        for start in mine:
            for row in _rows(model, label, start, size, seed, temperature, shape, looks):
                shown.advance(shown.task_ids[0])
                if on_row is not None:
                    on_row(start, row)
            drawn[start : start + size] = row.levels[: total - start].cpu()
    model.train(was_training)
    return share.merge(drawn)


@contextmanager
def few_threads(batch: int) -> Iterator[None]:
    """One thread for a small batch: a pixel's products are then too small to share, and sharing costs more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if batch < SHARED_FROM else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _labels(
    model: AutoregressiveImageModel, labels: Tensor | Sequence[int] | None, count: int | None
) -> tuple[Tensor | None, int]:
    if model.classes:
        wanted = torch.as_tensor(labels if labels is not None else list(range(len(model.classes))))
        return model.check_labels(wanted, len(wanted)), len(wanted)
    return None, count if count is not None else (len(labels) if labels is not None else 1)


def _rows(
    model: AutoregressiveImageModel,
    label: Tensor | None,
    start: int,
    size: int,
    seed: int,
    temperature: float,
    shape: ImageShape,
    looks: Looks,
) -> Iterator[Row]:
    """One batch's walk; a last batch that is smaller is padded to the same shape."""
    indices = range(start, start + size)
    uniform = torch.stack([noise(seed, index, shape) for index in indices]).to(model.device)
    here = None if label is None else label[[min(index, len(label) - 1) for index in indices]]
    return walk(model, here, sample(uniform, temperature), size, shape, looks=looks)
