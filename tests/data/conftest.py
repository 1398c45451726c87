"""Small image files, written anew for each test."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Writer = Callable[..., Path]


def noise(seed: int, height: int = 12, width: int = 12, channels: int = 3) -> np.ndarray:
    """Random 8-bit values `[H, W]` or `[H, W, 3]`."""
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def write_images(tmp_path: Path) -> Writer:
    """write_images({"cats": 5}, channels=3) -> a folder with cats/00.png ... of random pixels."""

    def write(counts: dict[str, int], folder: str = "images", **size: int) -> Path:
        root = tmp_path / folder
        seed = 0
        for name, count in counts.items():
            (root / name).mkdir(parents=True, exist_ok=True)
            for row in range(count):
                seed += 1
                Image.fromarray(noise(seed, **size)).save(root / name / f"{row:02d}.png")
        return root

    return write
