"""A torch `Dataset` or `DataLoader` of (image, label) as arrays."""

from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from ..errors import UserError

NAME = "the data set"


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
    for item in _items(data):
        image, label = (
            (item[0], item[1]) if isinstance(item, tuple | list) and len(item) > 1 else (item, None)
        )
        image = image[0] if isinstance(image, tuple | list) and len(image) == 1 else image
        if isinstance(data, DataLoader):
            images += [_one(each) for each in image]
            labels += [None] * len(image) if label is None else _plain(label)
        else:
            images.append(_one(image))
            labels += [None] if label is None else _plain([label])
    if not images:
        raise UserError(f"{NAME} has no images")
    sizes = sorted({image.shape for image in images})
    if len(sizes) > 1:
        raise UserError(
            f"{NAME}: the images differ in size ({sizes[0]}, {sizes[1]}): resize them in its transform"
        )
    return np.stack(images), None if all(label is None for label in labels) else labels


def _items(data: Any) -> Any:
    if isinstance(data, DataLoader) or not hasattr(data, "__len__"):
        return iter(data)
    return (data[index] for index in range(len(data)))


def _one(image: Any) -> np.ndarray:
    """One image, channels last."""
    if isinstance(image, torch.Tensor):
        values = image.detach().cpu().numpy()
        return values.transpose(1, 2, 0) if values.ndim == 3 else values
    values = np.asarray(image)
    if values.ndim not in (2, 3) or values.dtype.kind not in "biuf":
        raise UserError(
            f"{NAME}: an item is {type(image).__name__} {values.shape}, and not an image with a label"
        )
    return values


def _plain(labels: Any) -> list[Any]:
    """Labels as plain numbers and texts."""
    found = labels.tolist() if isinstance(labels, torch.Tensor | np.ndarray) else list(labels)
    return [each.item() if isinstance(each, torch.Tensor | np.generic) else each for each in found]
