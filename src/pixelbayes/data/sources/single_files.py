"""One image, a pattern such as 'photos/*.png', or a list of images: unlabelled, in the order given."""

from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path

from ...errors import UserError
from ...labels import Labels
from ..collection import Collection, Part
from ..config import DataConfig
from ..file_pictures import FilePictures, about_others
from ..formats import is_image_name
from ..grouping import groups_by_pattern


def is_pattern(word: str) -> bool:
    return has_magic(word)


class SingleFiles:
    """Files named one by one."""

    def __init__(self, paths: list[Path], name: str, others: Sequence[Path] = ()) -> None:
        self.paths = paths
        self.name = name
        self.others = others

    @staticmethod
    def matching(pattern: str) -> "SingleFiles":
        """The images whose names fit a shell pattern. Raises UserError where there are none."""
        files = sorted(path for path in map(Path, glob(pattern, recursive=True)) if path.is_file())
        paths = [path for path in files if is_image_name(path)]
        others = [path for path in files if not is_image_name(path)]
        if not paths:
            raise UserError(
                f"no image fits the pattern {pattern}"
                + "".join(f", but {line}" for line in about_others(others))
            )
        return SingleFiles(paths, pattern, others)

    def files(self) -> list[Path]:
        return []

    def validates(self) -> bool:
        return False

    def read(self, config: DataConfig, classes: Labels | None) -> Collection:
        if not self.paths:
            raise UserError("no images were given (an empty list)")
        missing = [str(path) for path in self.paths if not path.is_file()]
        if missing:
            more = f" and {len(missing) - 3:,} more" if len(missing) > 3 else ""
            raise UserError(f"no such file: {', '.join(missing[:3])}{more}")
        names = [str(path) for path in self.paths]
        groups = groups_by_pattern(config.group_by, names)
        part = Part(FilePictures(self.paths), [""] * len(names), names, groups)
        notices = [f"not read of {self.name}: {line}" for line in about_others(self.others)]
        return Collection(self.name, {"all": part}, notices=notices)
