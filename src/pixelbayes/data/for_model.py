"""Arrays of images for a model: in the same layouts, levels and size as in its training."""

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from ..levels import ImageShape
from ..records import DataRecord
from .decode_all import decode_all
from .preparation import Preparation, deep_message, too_deep
from .stacks import about_depth, as_stack


def levels_for(
    images: object, shape: ImageShape, record: DataRecord, name: str = "the images"
) -> tuple[Tensor, list[str]]:
    """An array or tensor in any of the layouts of `as_stack` -> levels `(n, C, H, W)` of `shape`, and what was done.

    What the model takes already stays as it is. Other values become its levels, other sizes its size and colour grey,
    as the model's `record` of its data says. Raises UserError for what cannot be meant, and for grey
    images where the model takes colour.
    """
    if _is_empty(images):
        return torch.zeros(0, shape.channels, shape.height, shape.width, dtype=shape.dtype), []
    notices: list[str] = []
    pictures = as_stack(images, name, shape.levels, shape=shape, told=notices)
    facts = pictures.facts()[0]
    if too_deep(facts.maximum, shape.levels):
        raise UserError(deep_message(name, shape.levels))
    if facts.channels == 1 and shape.channels == 3:
        raise UserError(f"{name} are grey (1 channel), but the model takes colour images (3 channels)")
    if facts.channels != shape.channels:
        notices.append(f"{name} are in colour, and made grey for the model")
    if (facts.height, facts.width) != (shape.height, shape.width):
        notices.append(
            f"{name} are {facts.height}x{facts.width}, and made {shape.height}x{shape.width} as in the training"
        )
    notices += about_depth(facts.maximum, shape.levels, name)
    stored = Preparation.of(record, shape)
    levels, *_ = decode_all(pictures, [name] * len(pictures), stored, skip_bad=False)
    return torch.from_numpy(levels), notices


def _is_empty(images: object) -> bool:
    try:
        size = images.shape if isinstance(images, Tensor) else np.asarray(images).shape
    except ValueError:  # rows of different lengths, which are told of later
        return False
    return len(size) in (3, 4) and size[0] == 0
