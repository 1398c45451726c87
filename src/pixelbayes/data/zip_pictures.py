"""Images inside a zip, read without unpacking it."""

import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from ..errors import UserError
from .decoding import read_facts, read_picture
from .file_pictures import hidden
from .formats import is_image_name
from .raw import MOST_BYTES, BadImageError, Facts, Picture, gather_facts

SAMPLE = 256


def images_in_zip(archive: Path) -> list[str]:
    """The names of the images in a zip, sorted. Raises UserError naming a damaged one."""
    try:
        with zipfile.ZipFile(archive) as opened:
            names = opened.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{archive} is no zip file, or truncated ({error})") from error
    return sorted(
        name for name in names if is_image_name(name) and not any(map(hidden, PurePosixPath(name).parts))
    )


@dataclass
class ZipPictures:
    """One picture for each name; the headers of a sample stand for all."""

    archive: Path
    names: list[str]
    sequential: bool = False

    @cached_property
    def _opened(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(self.archive)

    def __len__(self) -> int:
        return len(self.names)

    def facts(self) -> list[Facts]:
        rows = range(0, len(self), max(1, len(self) // SAMPLE))
        return gather_facts(self, rows, lambda index: read_facts(self._content(index)), "looking at images")

    def read(self, index: int) -> Picture:
        return read_picture(self._content(index))

    def _content(self, index: int) -> bytes:
        try:
            size = self._opened.getinfo(self.names[index]).file_size  # no more than this is unpacked
            if size > MOST_BYTES:
                raise BadImageError(f"{size:,} bytes within the zip; at most {MOST_BYTES:,} are read")
            return self._opened.read(self.names[index])
        except BadImageError:
            raise
        except Exception as error:  # also for a password, and for a way of packing that is not known
            raise BadImageError("damaged within the zip, or packed in a way that is not read") from error
