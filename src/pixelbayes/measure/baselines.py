"""What simple models reach on the same images: the figures that a network's should be read beside."""

from dataclasses import dataclass
from io import BytesIO
from math import sqrt

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..data import ImageSet
from ..levels import ImageShape, to_values
from .bits import bits_per_dim


@dataclass(frozen=True)
class Baseline:
    """A simple model's figures on held-out images; accuracy is None where it does not classify."""

    name: str
    explanation: str
    bits_per_dim: float
    accuracy: float | None = None


def baselines(train: ImageSet, held_out: ImageSet) -> list[Baseline]:
    """Uniform, histograms of each pixel (with their naive Bayes accuracy), and PNG; fitted on `train`."""
    shape = held_out.shape
    single = png_bits_per_dim(held_out.levels, shape)
    together = png_bits_per_dim(contact_sheet(held_out.levels), shape)
    entries = [
        Baseline("PNG", "a file for each image, headers included", single),
        Baseline("uniform", "every level equally probable", shape.uniform_bits),
        Baseline("PNG sheet", "all images in one file", together),
    ]
    nats = histogram_log_prob(train.levels, held_out.levels, shape.levels)
    entries.append(Baseline("histogram", "each pixel on its own", bits_per_dim(nats, shape)))
    if len(train.classes) > 1 and bool((held_out.labels >= 0).any()):
        entries.append(naive_bayes(train, held_out))
    return entries


def naive_bayes(train: ImageSet, held_out: ImageSet) -> Baseline:
    """A histogram for each class and pixel: naive Bayes, on the images of known class."""
    chosen = held_out.labels >= 0
    levels, labels, shape = held_out.levels[chosen], held_out.labels[chosen], held_out.shape
    every = [
        histogram_log_prob(train.levels[train.labels == label], levels, shape.levels)
        for label in range(len(train.classes))
    ]
    nats = torch.stack(every, 1)
    return Baseline(
        "naive Bayes",
        "each pixel on its own, given the class",
        bits_per_dim(nats.gather(1, labels[:, None])[:, 0], shape),
        float((nats.argmax(1) == labels).double().mean()),
    )


def histogram_log_prob(train: Tensor, levels: Tensor, count: int, smoothing: float = 1.0) -> Tensor:
    """Log probability in nats, float64 [M], of images [M, C, H, W] whose values are independent.

    Each value's distribution is its histogram over the images `train` [N, C, H, W], `smoothing` counts added
    to each of the `count` levels (Laplace). Counted in sorted columns: no table over the levels is made.
    """
    columns = train.flatten(1).int().T.sort(1).values.contiguous()
    values = levels.flatten(1).int().T.contiguous()
    seen = torch.searchsorted(columns, values, right=True) - torch.searchsorted(columns, values)
    share = (seen.double() + smoothing) / (len(train) + smoothing * count)
    return share.log().sum(0)


def png_bits_per_dim(levels: Tensor, shape: ImageShape) -> float:
    """Bits per dimension of the smallest PNG files that Pillow writes for images [N, C, H, W].

    Above 256 levels the channels lie side by side in a grey image of 16 bits.
    """
    total = sum(len(encode_png(image, shape)) for image in levels.numpy())
    return total * 8 / levels.numel()


def contact_sheet(levels: Tensor) -> Tensor:
    """Images [N, C, H, W] -> one image [1, C, H * rows, W * columns], nearly square, the last row filled up
    with copies of the last image."""
    columns = max(1, round(sqrt(len(levels))))
    rows = -(-len(levels) // columns)
    filled = torch.cat([levels, levels[-1:].expand(rows * columns - len(levels), -1, -1, -1)])
    _, channels, height, width = levels.shape
    grid = filled.view(rows, columns, channels, height, width).permute(2, 0, 3, 1, 4)
    return grid.reshape(1, channels, rows * height, columns * width)


def encode_png(image: np.ndarray, shape: ImageShape) -> bytes:
    """Levels [C, H, W] -> the bytes of an optimised PNG; one bit a pixel for grey images of two levels."""
    values = to_values(image, shape.levels)
    if values.dtype == np.uint16:
        picture = Image.fromarray(np.concatenate(list(values), 1))
    elif shape.levels == 2 and len(values) == 1:
        picture = Image.fromarray(values[0] > 0)
    else:
        picture = Image.fromarray(values[0] if len(values) == 1 else np.moveaxis(values, 0, -1))
    buffer = BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
