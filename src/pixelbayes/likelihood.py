"""log p(x | c), chunk by chunk: the one source for whoever reads likelihoods.

Classifying, evaluating, validating, detecting and the benchmarks all ask the same question of a model. Here are its
answers in chunks of images, in bounded memory whatever the number of images and classes: images are read when their
chunk comes (an array is cut, a lazy set decodes), classes beyond what fits go through the network in pieces, and each
process takes its share of the chunks. The numbers are as the model gives them: what to do with one that is not finite
is the reader's choice.

A *batch* is what goes through the network at once: so many **pairs** of an image and a class. A chunk is the images of
a batch, all of their classes together.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import log
from typing import Literal, Protocol

import torch
from torch import Tensor

from .distributed import ALONE, Shard, in_float64
from .errors import UserError, check_whole, unknown
from .inputs import Images, as_levels
from .model import AutoregressiveImageModel, evaluating
from .views import GROUPS, Views, index_in, seen
from .views import check as check_views

PIXELS_AT_ONCE = {"cpu": 2**16, "cuda": 2**20}
"""Of all pairs in a batch, by the kind of device; it bounds the memory."""
MOST_PAIRS = 4096

Precision = Literal["float32", "bf16"]


class ImageSource(Protocol):
    """Images that are read when they are asked for, such as those of `data.decode_all`."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice | Tensor, /) -> Tensor:
        """Integer levels `(n, C, H, W)` of some images."""
        ...


@dataclass(frozen=True)
class Question:
    """What is asked of every image: under which classes, of which pixels, with which arithmetic.

    `candidates`: class indices `(n, K)`, those of each image (all classes when None; a model without classes has the
    one answer log p(x)). `weights`: how often each pixel counts, `(H, W)` (see `regions.pixel_weights`; each once when
    None). `batch`: pairs that go through the network at once (as many as keep the memory small when None).
    `precision`: bf16 is quicker where the processor has it, and less exact. `views`: the mean of the densities over
    these views of the image (see `views`), at the cost of so many passes; a view that the model was not told of in its
    training is shown as if it were upright.
    """

    candidates: Tensor | None = None
    weights: Tensor | None = None
    batch: int | None = None
    precision: Precision = "float32"
    views: Views = "none"

    def __post_init__(self) -> None:
        check_whole("the batch", self.batch, least=1)
        GROUPS[self.views]
        if self.precision not in ("float32", "bf16"):
            raise unknown("precision", self.precision, ("float32", "bf16"))


ALL_CLASSES = Question()


def log_likelihoods(
    model: AutoregressiveImageModel,
    images: Images | ImageSource,
    question: Question = ALL_CLASSES,
    shard: Shard = ALONE,
    start: int = 0,
) -> Iterator[tuple[range, Tensor]]:
    """Yields (rows, log p(x | c)): the images of a chunk, and float64 nats `(len(rows), K)` on the CPU.

    `images` are integer levels `(n, C, H, W)` or a lazy source of them. The chunks are the same however many
    processes share them; `start` is the first image of the chunk to begin with. Raises UserError for images that do
    not fit the model.

    >>> import numpy as np
    >>> from pixelbayes import create
    >>> model = create("digits", filters=4)
    >>> [(rows, nats.shape) for rows, nats in log_likelihoods(model, np.zeros((2, 1, 8, 8), np.uint8))]
    [(range(0, 2), torch.Size([2, 10]))]
    """
    for rows, levels in _chunks(model, images, question, shard, start):
        # An ordinary tensor on the CPU, that gradients and NumPy may meet.
        nats = torch.empty(len(rows), answers_an_image(model, question), dtype=torch.float64)
        yield rows, nats.copy_(_nats(model, levels, rows, question))


def log_likelihood_maps(
    model: AutoregressiveImageModel,
    images: Images | ImageSource,
    batch: int | None = None,
    shard: Shard = ALONE,
) -> Iterator[tuple[range, Tensor]]:
    """Yields (rows, log p of each pixel given those before it and the class): of the chunks of `log_likelihoods`, which
    sums them, all classes, float64 nats `(len(rows), K, H, W)` on the CPU."""
    question = Question(batch=batch)
    for rows, levels in _chunks(model, images, question, shard):
        width = answers_an_image(model, question)
        maps = torch.empty(len(rows), width, *levels.shape[2:], dtype=torch.float64)
        for classes in _pieces(model, len(rows), question):
            maps[:, classes.start : classes.stop] = _class_maps(model, levels, classes)
        yield rows, maps


def _chunks(
    model: AutoregressiveImageModel,
    images: Images | ImageSource,
    question: Question,
    shard: Shard = ALONE,
    start: int = 0,
) -> Iterator[tuple[range, Tensor]]:
    """Yields (rows, their checked levels on the model's device), the model being in evaluation mode meanwhile."""
    check_views(question.views, model.shape)
    source = _source(model, images)
    _check_candidates(question.candidates, len(source), model)
    chunks = chunk_starts(model, len(source), question)[_index_of(start, model, question) :]
    size = images_at_once(model, question)
    with evaluating(model):
        for first in shard.of(chunks):
            rows = range(first, min(first + size, len(source)))
            levels = as_levels(source[slice(rows.start, rows.stop)])
            model.check(levels)
            yield rows, levels.to(model.device)


def _pieces(model: AutoregressiveImageModel, images: int, question: Question) -> list[range]:
    """The classes (or places of candidates) of a chunk, in pieces where they are more than a batch."""
    width = answers_an_image(model, question)
    piece = max(1, (question.batch or pairs_at_once(model)) // max(1, images))
    return [range(first, min(first + piece, width)) for first in range(0, width, piece)]


def collect(
    chunks: Iterator[tuple[range, Tensor]] | Sequence[tuple[range, Tensor]], count: int, width: int
) -> Tensor:
    """The chunks of `log_likelihoods` as one tensor `(count, width)`, zero where another process worked."""
    nats = torch.zeros(count, width, dtype=torch.float64)
    for rows, numbers in chunks:
        nats[rows.start : rows.stop] = numbers
    return nats


def answers_an_image(model: AutoregressiveImageModel, question: Question = ALL_CLASSES) -> int:
    """K: how many numbers an image gets."""
    return question.candidates.shape[1] if question.candidates is not None else max(1, len(model.classes))


def class_passes(model: AutoregressiveImageModel) -> float:
    """Returns about what log p(x | c) of one image under all classes costs, in passes of one class."""
    classes = max(1, len(model.classes))
    return model.config.fusion.row().passes(classes) if model.network.shares_classes else float(classes)


def pairs_at_once(model: AutoregressiveImageModel) -> int:
    """How many pairs of an image and a class go through the network at once, where the user does not say."""
    pixels = PIXELS_AT_ONCE.get(model.device.type, PIXELS_AT_ONCE["cpu"])
    return max(1, min(MOST_PAIRS, pixels // (model.shape.height * model.shape.width)))


def images_at_once(model: AutoregressiveImageModel, question: Question = ALL_CLASSES) -> int:
    """How many images a chunk has; one, where its classes alone are more than a batch."""
    batch = question.batch or pairs_at_once(model)
    return max(1, batch // answers_an_image(model, question))


def chunk_starts(model: AutoregressiveImageModel, count: int, question: Question = ALL_CLASSES) -> range:
    """The first image of every chunk of `count` images."""
    return range(0, count, images_at_once(model, question))


def _index_of(start: int, model: AutoregressiveImageModel, question: Question) -> int:
    chunk, rest = divmod(start, images_at_once(model, question))
    if rest:
        raise ValueError(f"image {start} is not the first of a chunk")
    return chunk


def _source(model: AutoregressiveImageModel, images: Images | ImageSource) -> Tensor | ImageSource:
    """An array is checked as a whole, before the work; what is read later, chunk by chunk."""
    lazy = hasattr(images, "__getitem__") and hasattr(images, "shape") and not hasattr(images, "__array__")
    if lazy and not isinstance(images, Tensor):
        return images  # type: ignore[return-value]
    levels = as_levels(images)  # type: ignore[arg-type]
    model.check(levels)
    return levels


def _check_candidates(candidates: Tensor | None, count: int, model: AutoregressiveImageModel) -> None:
    if candidates is None:
        return
    if not len(model.classes):
        raise UserError("a model without classes has no candidate classes")
    if candidates.dim() != 2 or len(candidates) != count:
        raise UserError(f"{count} images need candidates ({count}, K), not {tuple(candidates.shape)}")


@torch.inference_mode()
def _nats(model: AutoregressiveImageModel, levels: Tensor, rows: range, question: Question) -> Tensor:
    """Of one chunk `(b, K)`."""
    with arithmetic(model.device, question.precision):
        pieces = _pieces(model, len(levels), question)
        return torch.cat([_over_views(model, levels, rows, classes, question) for classes in pieces], 1)


@torch.inference_mode()
def _class_maps(model: AutoregressiveImageModel, levels: Tensor, classes: range) -> Tensor:
    with arithmetic(model.device, "float32"):
        return model.class_log_prob_maps(levels, classes if len(model.classes) else None).cpu().double()


def _over_views(
    model: AutoregressiveImageModel, levels: Tensor, rows: range, classes: range, question: Question
) -> Tensor:
    """The log of the mean density over the question's views `(b, k)`."""
    views, own, by_view = GROUPS[question.views], model.config.fusion.views, []
    for view in views:
        shown = torch.full((len(levels),), index_in(own, view), device=levels.device)
        maps = _maps(model, seen(levels, view), rows, classes, question.candidates, shown)
        weights = None if question.weights is None else seen(question.weights, view)
        by_view.append(total(maps, weights))
    return torch.logsumexp(torch.stack(by_view), 0) - log(len(views)) if len(views) > 1 else by_view[0]


def _maps(
    model: AutoregressiveImageModel,
    levels: Tensor,
    rows: range,
    classes: range,
    candidates: Tensor | None,
    shown: Tensor,
) -> Tensor:
    """log p of each pixel `(b, k, H, W)` under some classes, or some of the candidates, of each image."""
    if candidates is None:
        return model.class_log_prob_maps(levels, classes if len(model.classes) else None, shown)
    chosen = candidates[rows.start : rows.stop, classes.start : classes.stop]
    if bool((chosen == chosen[:1]).all()):
        return model.class_log_prob_maps(levels, chosen[0].tolist(), shown)
    labels = model.under(chosen.flatten().to(model.device), shown.repeat_interleave(len(classes)))
    repeated = levels.repeat_interleave(len(classes), 0)
    maps = model.distribution(repeated, labels).log_prob(repeated)
    return maps.unflatten(0, (len(levels), len(classes)))


def total(maps: Tensor, weights: Tensor | None = None) -> Tensor:
    """Sum over pixels, float64: log p of each pixel `(..., H, W)` -> `(...)` nats. Pixels of weight 0 are left out,
    whatever their numbers are."""
    if weights is None:
        return in_float64(maps).sum((-2, -1))
    cells = weights.flatten().nonzero().flatten()
    counted = in_float64(maps.flatten(-2)[..., cells.to(maps.device)])
    return (counted * weights.flatten()[cells].to(counted)).sum(-1)


def arithmetic(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """The arithmetic of a pass: the model's own, also within somebody else's autocast, or bf16."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
