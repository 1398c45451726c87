"""Unlabelled images, named one by one: an image, a pattern such as 'photos/*.png', a list; or a .npy file of many."""

from collections.abc import Sequence
from glob import glob
from pathlib import Path

from ...errors import UserError, some_of
from ..collection import Collection, Part, Source
from ..config import DataConfig
from ..decoding import load_array
from ..file_pictures import FilePictures, about_others
from ..formats import is_image_name
from ..raw import BadImageError
from ..stacks import stack_of_file
from ..words import groups_by_pattern


class SingleFiles(Source):
    """Files named one by one, in the order given."""

    def __init__(self, paths: list[Path], name: str, config: DataConfig, others: Sequence[Path] = ()) -> None:
        self.paths, self.name, self.config, self.others = paths, name, config, others

    @staticmethod
    def matching(pattern: str, config: DataConfig) -> "SingleFiles":
        """The images whose names fit a shell pattern. Raises UserError where there are none."""
        files = sorted(path for path in map(Path, glob(pattern, recursive=True)) if path.is_file())
        paths = [path for path in files if is_image_name(path)]
        others = [path for path in files if not is_image_name(path)]
        if not paths:
            but = "".join(f", but {line}" for line in about_others(others))
            raise UserError(f"no image fits the pattern {pattern}{but}")
        return SingleFiles(paths, pattern, config, others)

    def read(self) -> Collection:
        if not self.paths:
            raise UserError("no images were given (an empty list)")
        if missing := [str(path) for path in self.paths if not path.is_file()]:
            raise UserError(f"no such file: {some_of(missing, 3)}")
        names = [str(path) for path in self.paths]
        groups = groups_by_pattern(self.config.group_by, names)
        part = Part(FilePictures(self.paths), [""] * len(names), names, groups)
        notices = [f"not read of {self.name}: {line}" for line in about_others(self.others)]
        return Collection(self.name, {"all": part}, notices=notices)


class Stack(Source):
    """A .npy file with one image, H x W or H x W x C, or with many, N x H x W or N x H x W x C."""

    def __init__(self, path: Path, config: DataConfig) -> None:
        self.path, self.name, self.config = path, str(path), config

    def read(self) -> Collection:
        try:
            array = load_array(self.path)
        except BadImageError as error:
            raise UserError(f"{self.path}: {error}") from error
        alone = array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (1, 3))
        pictures = stack_of_file(array[None] if alone else array, self.name, self.config)
        names = [self.name] if alone else [f"{self.name}[{row}]" for row in range(len(pictures))]
        _, height, width, _ = pictures.array.shape
        part = Part(pictures, [""] * len(names), names)
        return Collection(self.name, {"all": part}, natural_size=(height, width))
