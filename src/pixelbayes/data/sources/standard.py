"""What the standard sets share: where their authors' files are looked for, their checksums, their images in arrays; and
the digits, which need no files."""

import gzip
import hashlib
import os
import zlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from ...errors import UserError
from ..collection import Collection, Part, Source
from ..config import DataConfig
from ..raw import ArrayPictures


class StandardSet(Source):
    """A set of the literature, in the files that its authors publish."""

    def __init__(self, name: str, config: DataConfig, below: Sequence[str]) -> None:
        """`below`: folders in which the files may lie, in --root (else in $PIXELBAYES_DATA or ./data), or its /NAME."""
        self.name, self.config = name, config
        given = [config.root] if config.root else [os.environ.get("PIXELBAYES_DATA", "data"), ""]
        bases = [folder for base in given for folder in (Path(base), Path(base, name))]
        self.folders = [folder / inner for folder in bases for inner in ("", *below)]

    @cached_property
    def paths(self) -> Mapping[str, Sequence[Path]]:
        """The files of each split that is there. Raises UserError where there is none, or one is not complete."""
        raise NotImplementedError

    def files(self) -> list[Path]:
        return [path for paths in self.paths.values() for path in paths]

    def validates(self) -> bool:
        return "validation" in self.paths

    def find(self, *names: str) -> Path | None:
        """The first of the names that lies in one of the folders."""
        candidates = (folder / name for folder in self.folders for name in names)
        return next((path for path in candidates if path.is_file()), None)

    def missing(self, files: str) -> UserError:
        looked = ", ".join(dict.fromkeys(map(str, self.folders)))
        return UserError(
            f"{self.name}: {files} not found in {looked} (say where its files are with --root DIR)"
        )

    def part(self, split: str, pixels: np.ndarray, labels: Sequence[int], classes: Sequence[str]) -> Part:
        """A split of images `[N, H, W, C]`, which are named by their numbers."""
        names = [f"{self.name}/{split}/{row:05d}" for row in range(len(pixels))]
        return Part(ArrayPictures(pixels), [classes[label] for label in labels], names)


class Digits(Source):
    """The handwritten digits that come with scikit-learn: 1,797 grey 8x8 images with 17 levels.

    E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits (test part), UCI 1998.
    """

    name = "digits"

    def read(self) -> Collection:
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        pictures = ArrayPictures(images.reshape(-1, 8, 8, 1).astype(np.uint8), maximum=16)
        names = [f"digits/{row:04d}" for row in range(len(images))]
        splits = {"all": Part(pictures, [str(label) for label in labels], names)}
        return Collection(self.name, splits, tuple("0123456789"), test_share=0.2, indices_allowed=False)


def read_up_to(path: Path, most: int) -> bytes:
    """The first bytes of a file, `most` at most, unpacked where it is .gz. Raises UserError naming a damaged one."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            return file.read(most)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path} is truncated or no gzip file ({error})") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error


def checksum(path: Path) -> str:
    """md5 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def checksum_notice(path: Path, known: Mapping[str, str]) -> list[str]:
    """A notice when the file's md5 is not the official one (`known`: file name -> md5); nothing where none is known."""
    return about_checksum(path, checksum(path), known[path.name]) if path.name in known else []


def about_checksum(path: Path, md5: str, official: str | None) -> list[str]:
    """A notice where the md5 is another than the official one."""
    if official is None or md5 == official:
        return []
    return [f"{path.name} has the right format, but is not the authors' file (md5 {md5}, theirs {official})"]
