"""A .npy file with many images, N x H x W or N x H x W x C: unlabelled."""

from pathlib import Path

import numpy as np

from ...errors import UserError
from ...labels import Labels
from ..collection import Collection, Part
from ..config import DataConfig
from ..decoding import load_array
from ..raw import BadImageError
from ..stacks import as_stack


def is_stack(path: Path) -> bool:
    """Whether a .npy file holds more than one image (H x W and H x W x 3 are one)."""
    if path.suffix.lower() != ".npy":
        return False
    try:
        array = load_array(path)
    except BadImageError as error:
        raise UserError(f"{path}: {error}") from error
    return not (array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (1, 3)))


class Stack:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)

    def files(self) -> list[Path]:
        return []

    def validates(self) -> bool:
        return False

    def read(self, config: DataConfig, classes: Labels | None) -> Collection:
        array: np.ndarray = load_array(self.path)
        pictures = as_stack(array, str(self.path), config.levels)
        names = [f"{self.path}[{row}]" for row in range(len(pictures))]
        _, height, width, _ = pictures.array.shape
        return Collection(
            self.name, {"all": Part(pictures, [""] * len(names), names)}, natural_size=(height, width)
        )
