"""Centre crop and the one resize, at the picture's own depth."""

import numpy as np
from PIL import Image

from .raw import Picture

FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
}


def crop_box(height: int, width: int, target: tuple[int, int]) -> tuple[int, int, int, int]:
    """(top, left, height, width) of the largest centred box with the target's aspect, rounded.

    >>> crop_box(218, 178, (32, 32))
    (20, 0, 178, 178)
    """
    high, wide = height, width
    if width * target[0] > height * target[1]:
        wide = max(1, round(height * target[1] / target[0]))
    else:
        high = max(1, round(width * target[0] / target[1]))
    return (height - high) // 2, (width - wide) // 2, high, wide


def fit(picture: Picture, size: tuple[int, int], resize: str, crop: bool) -> Picture:
    """A picture of the wanted (height, width): cropped to the aspect, resized with antialiasing, rounded."""
    values = picture.values
    if crop:
        top, left, high, wide = crop_box(values.shape[0], values.shape[1], size)
        values = values[top : top + high, left : left + wide]
    if values.shape[:2] != size:
        values = _resized(values, size, FILTERS[resize], picture.maximum)
    return Picture(values, picture.maximum)


def _resized(values: np.ndarray, size: tuple[int, int], how: Image.Resampling, maximum: int) -> np.ndarray:
    target = (size[1], size[0])
    if maximum == 255:  # Pillow rounds 8-bit results itself
        eight = np.ascontiguousarray(values, dtype=np.uint8)
        small = Image.fromarray(eight[..., 0] if eight.shape[-1] == 1 else eight).resize(target, how)
        return np.asarray(small).reshape(*size, values.shape[-1])
    planes = [
        np.asarray(Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32)).resize(target, how))
        for plane in np.moveaxis(values, -1, 0)
    ]
    rounded = np.floor(np.stack(planes, axis=-1) + 0.5)
    return np.clip(rounded, 0, maximum).astype(np.int32)
