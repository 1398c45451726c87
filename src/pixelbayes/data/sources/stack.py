"""A .npy file with one image, H x W or H x W x C, or with many, N x H x W or N x H x W x C: unlabelled."""

from pathlib import Path

from ...errors import UserError
from ...labels import Labels
from ..collection import Collection, Part
from ..config import DataConfig
from ..decoding import load_array
from ..raw import BadImageError
from ..stacks import as_stack


class Stack:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)

    def files(self) -> list[Path]:
        return []

    def validates(self) -> bool:
        return False

    def read(self, config: DataConfig, classes: Labels | None) -> Collection:
        try:
            array = load_array(self.path)
        except BadImageError as error:
            raise UserError(f"{self.path}: {error}") from error
        white = int(config.white) if config.white is not None and config.white >= 1 else None
        alone = array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (1, 3))
        pictures = as_stack(array[None] if alone else array, str(self.path), config.levels, white)
        names = [str(self.path)] if alone else [f"{self.path}[{row}]" for row in range(len(pictures))]
        _, height, width, _ = pictures.array.shape
        return Collection(
            self.name, {"all": Part(pictures, [""] * len(names), names)}, natural_size=(height, width)
        )
