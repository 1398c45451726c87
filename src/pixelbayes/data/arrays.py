"""What lies in memory, arrays and torch's data sets, -> a data set, or levels for a model."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from ..errors import UserError
from ..levels import ImageShape
from ..records import DataRecord
from .assembling import assemble
from .collection import Collection
from .config import DataConfig
from .decode_all import decode_all
from .image_set import Dataset
from .labelled import check_length, labelled
from .preparation import Preparation, refuse_too_deep
from .stacks import about_depth, as_stack

TORCH_SET = "the data set"


def from_arrays(
    images: Any,
    labels: Any = None,
    *,
    validation: tuple[Any, Any] | Any = None,
    test: tuple[Any, Any] | Any = None,
    class_names: Sequence[str] | None = None,
    groups: Sequence[object] | None = None,
    config: DataConfig | None = None,
    shape: ImageShape | None = None,
    maximum: int | None = None,
    name: str = "arrays",
) -> Dataset:
    """A data set from arrays or tensors.

    images: `[N, H, W]`, `[N, H, W, C]` or `[N, C, H, W]` (see `stacks.channels_last`); labels: N numbers or
    names (-1 unknown; other forms: see `labelled`), or None; validation, test: images, or a pair (images, labels);
    maximum: the value of white (chosen by type and values). Images of more than 32 pixels are shrunk, as those of
    folders are, unless `config.size` or `shape` says otherwise. Raises UserError.

    >>> data = from_arrays(np.zeros((20, 4, 4), dtype=np.uint8), [0, 1] * 10)
    >>> len(data.train), len(data.validation)
    (18, 2)
    """
    config = config or DataConfig()
    levels = config.levels or (shape.levels if shape else None)
    notices: list[str] = []
    splits = {}
    for split, given in {"train": (images, labels), "validation": validation, "test": test}.items():
        pixels, words = given if isinstance(given, tuple) and len(given) == 2 else (given, None)
        if pixels is not None:
            stack = as_stack(pixels, f"{name} ({split})", levels, maximum, told=notices)
            splits[split] = labelled(stack, words, f"{name} ({split})")
    if groups is not None:
        check_length(groups, len(splits["train"]), "groups", name)
        splits["train"].groups = [str(group) for group in groups]
    if class_names is not None:
        config = replace(config, class_names=tuple(map(str, class_names)))
    whites = {part.pictures.facts()[0].maximum for part in splits.values() if maximum is None}
    notices += [notice for white in sorted(whites) for notice in about_depth(white, levels, name)]
    return assemble(Collection(name, splits, notices=notices), config, shape)


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
    (facts,) = pictures.facts()
    refuse_too_deep(facts.maximum, shape.levels, name)
    if facts.channels == 1 and shape.channels == 3:
        raise UserError(f"{name} are grey (1 channel), but the model takes colour images (3 channels)")
    if facts.channels != shape.channels:
        notices.append(f"{name} are in colour, and made grey for the model")
    if (facts.height, facts.width) != (shape.height, shape.width):
        notices.append(
            f"{name} are {facts.height}x{facts.width}, and made {shape.height}x{shape.width} as in the training"
        )
    notices += about_depth(facts.maximum, shape.levels, name)
    levels, *_ = decode_all(pictures, [name] * len(pictures), Preparation.of(record, shape), skip_bad=False)
    return torch.from_numpy(levels), notices


def is_torch_set(data: object) -> bool:
    """Whether these are data of torch's kind."""
    return isinstance(data, TorchDataset | DataLoader)


def arrays_of(data: Any) -> tuple[np.ndarray, list[Any] | None]:
    """All images `(n, H, W)` or `(n, H, W, C)`, and the labels, None where the items are images alone.

    An item (a batch of a `DataLoader`) is an image, or a tuple that begins with image and label; images are tensors
    `(C, H, W)` or `(H, W)`, arrays `(H, W)` or `(H, W, C)`, or Pillow's. Raises UserError for other items, and for
    images of several sizes.
    """
    images: list[np.ndarray] = []
    labels: list[Any] = []
    counted = hasattr(data, "__len__") and not isinstance(data, DataLoader)
    for item in (data[row] for row in range(len(data))) if counted else data:
        image, label = item[:2] if isinstance(item, tuple | list) and len(item) > 1 else (item, None)
        image = image[0] if isinstance(image, tuple | list) and len(image) == 1 else image
        if not isinstance(data, DataLoader):
            image, label = [image], None if label is None else [label]
        images += map(_one, image)
        labels += [None] * len(image) if label is None else _plain(label)
    if not images:
        raise UserError(f"{TORCH_SET} has no images")
    sizes = sorted({image.shape for image in images})
    if len(sizes) > 1:
        raise UserError(
            f"{TORCH_SET}: the images differ in size ({sizes[0]}, {sizes[1]}): resize them in its transform"
        )
    return np.stack(images), None if all(label is None for label in labels) else labels


def _one(image: Any) -> np.ndarray:
    """One image, channels last."""
    if isinstance(image, Tensor):
        values = image.detach().cpu().numpy()
        return values.transpose(1, 2, 0) if values.ndim == 3 else values
    values = np.asarray(image)
    if values.ndim not in (2, 3) or values.dtype.kind not in "biuf":
        raise UserError(
            f"{TORCH_SET}: an item is {type(image).__name__} {values.shape}, and not an image with a label"
        )
    return values


def _plain(labels: Any) -> list[Any]:
    """Labels as plain numbers and texts."""
    values = labels.tolist() if isinstance(labels, Tensor | np.ndarray) else list(labels)
    return [each.item() if isinstance(each, Tensor | np.generic) else each for each in values]


def _is_empty(images: object) -> bool:
    try:
        size = images.shape if isinstance(images, Tensor) else np.asarray(images).shape
    except ValueError:  # rows of different lengths, which are told of later
        return False
    return len(size) in (3, 4) and size[0] == 0
