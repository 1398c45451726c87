"""How complex an image is: the bits that the best of several lossless compressors needs for it."""

import bz2
import zlib
from collections.abc import Callable
from io import BytesIO

import numpy as np
import torch
from PIL import Image, features
from torch import Tensor

from ...levels import ImageShape

Compressor = Callable[[np.ndarray], int]
"""Levels [C, H, W] -> bytes."""


def _picture(format: str, **options: object) -> Compressor:
    """Levels below 256 as a picture of that format."""

    def size(levels: np.ndarray) -> int:
        values = levels.astype(np.uint8)
        image = Image.fromarray(values[0] if len(values) == 1 else np.moveaxis(values, 0, -1))
        file = BytesIO()
        image.save(file, format, **options)
        return file.tell()

    return size


def _plain(compress: Callable[[bytes], bytes], differences: bool) -> Compressor:
    """The bytes as they are, or the differences from the left neighbour; of many levels the high bytes first."""

    def size(levels: np.ndarray) -> int:
        values = levels.astype(np.uint16)
        if differences:
            values = np.diff(values, axis=-1, prepend=values[..., :1] * 0)
        planes = [values & 255] if levels.dtype == np.uint8 else [values >> 8, values & 255]
        return len(compress(b"".join(plane.astype(np.uint8).tobytes() for plane in planes)))

    return size


COMPRESSORS: dict[str, Compressor] = {
    "png": _picture("PNG", optimize=True),
    "webp": _picture("WEBP", lossless=True, method=4),
    "zlib": _plain(lambda content: zlib.compress(content, 9), differences=False),
    "zlib of differences": _plain(lambda content: zlib.compress(content, 9), differences=True),
    "bz2 of differences": _plain(lambda content: bz2.compress(content, 9), differences=True),
}


def usable(shape: ImageShape) -> tuple[str, ...]:
    """The compressors that this machine has and that know so many levels."""
    lacking = set() if shape.levels <= 256 else {"png", "webp"}
    if not features.check("webp"):
        lacking.add("webp")
    return tuple(name for name in COMPRESSORS if name not in lacking)


def compressed_bits(levels: Tensor, names: tuple[str, ...]) -> Tensor:
    """Integer levels [N, C, H, W] -> the fewest bits [N] of these compressors, float64.

    >>> flat = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    >>> noise = torch.randint(0, 256, (1, 1, 8, 8), dtype=torch.uint8)
    >>> bool(compressed_bits(flat, ("png", "zlib")) < compressed_bits(noise, ("png", "zlib")))
    True
    """
    sizes = [min(COMPRESSORS[name](image) for name in names) for image in levels.cpu().numpy()]
    return torch.tensor(sizes, dtype=torch.float64) * 8
