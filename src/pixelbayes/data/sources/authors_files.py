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


def read_whole(path: Path) -> bytes:
    """The content of a file, unpacked where it is .gz. Raises UserError naming a damaged one."""
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rb") as file:
                return file.read()
        return path.read_bytes()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path} is truncated or no gzip file ({error})") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error


def checksum_notice(path: Path, known: Mapping[str, str], content: bytes | None = None) -> list[str]:
    """A notice when the file's md5 is not the official one; nothing where none is known for it.

    `known`: file name -> md5. `content` replaces the file's bytes where they are at hand.
    """
    official = known.get(path.name)
    if official is None:
        return []
    if content is not None:
        found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    else:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found == official:
        return []
    return [
        f"{path.name} has the right format, but is not the authors' file (md5 {found}, theirs {official})"
    ]
