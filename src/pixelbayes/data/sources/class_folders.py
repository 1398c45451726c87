"""A folder with one sub-folder for each class, with or without train/validation/test above them."""

from functools import cached_property
from pathlib import Path

from ...errors import UserError
from ...labels import Labels
from ..collection import Collection, Part
from ..config import DataConfig
from ..file_pictures import FilePictures, hidden, images_below
from ..grouping import groups_by_pattern

SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid"),
    "test": ("test", "testing"),
}


class ClassFolders:
    """Images below `folder`; the first folder on the way to an image is its class."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = str(folder)

    @cached_property
    def splits(self) -> dict[str, Path]:
        """The folders of the splits; {'all': folder} where there are none, or 'train' is a class among others."""
        found = {
            split: child
            for split, names in SPLIT_NAMES.items()
            for child in sorted(self.folder.iterdir())
            if child.is_dir() and child.name.lower() in names
        }
        if "train" not in found or (self._beside(found) and not _in_classes(*_below(found["train"]))):
            return {"all": self.folder}
        return found

    def _beside(self, splits: dict[str, Path]) -> list[Path]:
        """The sub-folders with images that are no splits."""
        others = [
            child for child in sorted(self.folder.iterdir()) if child.is_dir() and not hidden(child.name)
        ]
        return [child for child in others if child not in splits.values() and images_below(child)]

    @cached_property
    def found(self) -> dict[str, list[Path]]:
        """Every image below the folders of the splits."""
        try:
            found = {split: images_below(folder) for split, folder in self.splits.items()}
        except OSError as error:
            raise UserError(f"{error.filename or self.folder}: {error.strerror}") from error
        if not any(found.values()):
            hint = (
                "; its idx files are read by `mnist --root`" if any(self.folder.glob("*idx?-ubyte*")) else ""
            )
            raise UserError(
                f"{self.folder} holds no images (accepted: png, jpg, tif, webp, bmp, gif, npy){hint}"
            )
        return found

    @cached_property
    def images(self) -> dict[str, list[Path]]:
        """The images of each split. Where most lie in class folders, those beside the folders are left out: a
        picture such as samples.png is no image of the set."""
        images = {}
        for split, paths in self.found.items():
            kept = _in_classes(self.splits[split], paths)
            images[split] = kept if 2 * len(kept) >= len(paths) else paths
        return images

    def files(self) -> list[Path]:
        names = self.folder / "classes.txt"
        return [
            *([names] if names.is_file() else []),
            *(path for paths in self.images.values() for path in paths),
        ]

    def validates(self) -> bool:
        return "validation" in self.splits

    def read(self, config: DataConfig, classes: Labels | None) -> Collection:
        splits = {
            split: self._part(self.splits[split], paths, config, grouped=split != "test")
            for split, paths in self.images.items()
            if paths
        }
        return Collection(self.name, splits, names_from(self.folder), self._notices())

    def _notices(self) -> list[str]:
        """What was left out, and where it lies."""
        notices = []
        for split, folder in self.splits.items():
            kept = set(self.images[split])
            loose = [path.name for path in self.found[split] if path not in kept]
            if loose:
                shown = ", ".join(loose[:3]) + (", ..." if len(loose) > 3 else "")
                what = "1 image lies" if len(loose) == 1 else f"{len(loose):,} images lie"
                notices.append(f"{what} in {folder} beside the class folders, not taken ({shown})")
        if "all" not in self.splits and (beside := self._beside(self.splits)):
            names = ", ".join(child.name for child in beside[:5])
            notices.append(f"folders beside {', '.join(self.splits)} are not taken: {names}")
        return notices

    def _part(self, folder: Path, paths: list[Path], config: DataConfig, grouped: bool) -> Part:
        below = [path.relative_to(folder).parts for path in paths]
        words = [parts[0] if len(parts) > 1 else "" for parts in below]
        names = [path.relative_to(self.folder).as_posix() for path in paths]
        groups = groups_by_pattern(config.group_by, names, required=grouped)
        return Part(FilePictures(paths), words, names, groups)


def _below(folder: Path) -> tuple[Path, list[Path]]:
    return folder, images_below(folder)


def _in_classes(folder: Path, paths: list[Path]) -> list[Path]:
    """Those of the images that lie in a folder of their class."""
    return [path for path in paths if path.parent != folder]


def names_from(folder: Path) -> tuple[str, ...] | None:
    """The class names in classes.txt, one a line, if there is such a file."""
    file = folder / "classes.txt"
    if hidden(file.name) or not file.is_file():
        return None
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read as text: {error}") from error
    return tuple(line for line in lines if line) or None
