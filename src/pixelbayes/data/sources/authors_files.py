"""Finding and verifying the files that the authors of a standard set publish."""

import gzip
import hashlib
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

from ...errors import UserError


def roots(name: str, given: str | None) -> list[Path]:
    """Where a set's files are looked for: --root, else $PIXELBAYES_DATA or ./data, each also with /NAME."""
    bases = [Path(given)] if given else [Path(os.environ.get("PIXELBAYES_DATA", "data")), Path()]
    return [folder for base in bases for folder in (base, base / name)]


def find(names: tuple[str, ...], folders: list[Path]) -> Path | None:
    """The first of the names that lies in one of the folders."""
    candidates = (folder / name for folder in folders for name in names)
    return next((path for path in candidates if path.is_file()), None)


def missing(name: str, wanted: str, folders: list[Path]) -> UserError:
    looked = ", ".join(dict.fromkeys(str(folder) for folder in folders))
    return UserError(f"{name}: {wanted} not found in {looked} (say where its files are with --root DIR)")


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
    official = known.get(path.name)
    return about_checksum(path, checksum(path), official) if official is not None else []


def about_checksum(path: Path, found: str, official: str | None) -> list[str]:
    """A notice where the md5 is another than the official one."""
    if official is None or found == official:
        return []
    return [
        f"{path.name} has the right format, but is not the authors' file (md5 {found}, theirs {official})"
    ]
