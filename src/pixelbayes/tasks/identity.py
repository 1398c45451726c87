"""Which question the likelihoods of a classification answer: short texts that others would change."""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor

from ..likelihood import ImageSource, Question, pairs_at_once
from ..model import AutoregressiveImageModel
from .detect import Judge

SAMPLE = 64
"""Images whose pixels tell whether the images are still the same."""


def identity(
    model: AutoregressiveImageModel,
    levels: ImageSource | Tensor,
    paths: Sequence[str],
    question: Question,
    judge: Judge | None,
) -> dict[str, Any]:
    """All that the likelihoods hang on, so that those of another question are not gone on with."""
    weights = question.weights.numpy().tobytes() if question.weights is not None else b""
    return {
        "model": _digest(_bytes_of(tensor) for tensor in model.state_dict().values()),
        "images": _digest(path.encode() + b"\0" for path in paths)
        + _digest(_some_pixels(levels, len(paths))),
        "batch": question.batch or pairs_at_once(model),
        "region": _digest([weights]),
        "precision": question.precision,
        "views": question.views,
        "detector": "" if judge is None else judge.mark(),
    }


def _bytes_of(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _some_pixels(levels: ImageSource | Tensor, count: int) -> Iterator[bytes]:
    for row in range(0, count, max(1, count // SAMPLE)):
        yield levels[slice(row, row + 1)].numpy().tobytes()


def _digest(parts: Iterable[bytes]) -> str:
    state = blake2b(digest_size=8)
    for part in parts:
        state.update(part)
    return state.hexdigest()
