"""Levels -> PNG files, such that reading them back gives the same levels."""

from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from ..errors import UserError
from ..files import whole
from ..levels import ImageShape, to_values


def save_image(levels: Tensor | np.ndarray, path: str | Path, shape: ImageShape) -> None:
    """Write one image `[C, H, W]` as a PNG: 8 bits up to 256 levels, 16 bits above.

    Raises UserError for an image of another shape, and where writing fails.

    Args:
        levels: integer levels of one image, `(C, H, W)`.
        path: of the PNG file.
        shape: of the image: its channels, size and levels.

    Returns:
        None.

    Example:
        pb.save_image(images[0], "drawn.png", model.shape)
    """
    array = levels.detach().cpu().numpy() if isinstance(levels, Tensor) else np.asarray(levels)
    if array.shape != (shape.channels, shape.height, shape.width):
        raise UserError(f"an image of shape {array.shape} is not {shape}")
    values = to_values(array, shape.levels).transpose(1, 2, 0)
    with whole(path) as temporary:
        if values.dtype == np.uint16 and shape.channels == 3:  # Pillow has no such images
            import imagecodecs

            temporary.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(values)))
            return
        flat = np.ascontiguousarray(values[..., 0] if shape.channels == 1 else values)
        Image.fromarray(flat).save(temporary, format="PNG")
