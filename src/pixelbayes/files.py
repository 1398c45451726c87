"""Files that are either whole or not there."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import UserError, check_name

if TYPE_CHECKING:
    from torch import Tensor

LONGEST_STEM = 150  # bytes
HALF = "pixelbayes-tmp"
LEFT_BEHIND = re.compile(rf"\..+\.[0-9]+\.{HALF}(\.\w+)?")
"""The temporary names that `whole` gives: no file of the user's is called so."""


@contextmanager
def whole(path: str | Path, suffix: str | None = None) -> Iterator[Path]:
    """A temporary name beside `path`; what is written there takes `path`'s place at the end, synced.

    The temporary name ends as `path` does, since writers choose a format by it, or in `suffix`.
    An exception inside leaves an earlier file as it was and removes the half-written one.
    Raises UserError where the folder cannot be written or the disk is full.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with whole(f"{folder}/note.txt") as temporary:
    ...         _ = temporary.write_text("all of it")
    ...     Path(folder, "note.txt").read_text()
    'all of it'
    """
    target = Path(path)
    check_name(target)
    suffix = target.suffix if suffix is None else suffix
    temporary = target.with_name(f".{_short(target.stem)}.{os.getpid()}.{HALF}{suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror or error}") from error


def to_json(table: Any, path: str | Path | None = None) -> str:
    """Returns plain data as JSON, also written to `path` if given; raises UserError as `whole` does.

    >>> to_json({"bits": 2.5})
    '{\\n  "bits": 2.5\\n}\\n'
    """
    text = json.dumps(table, indent=2) + "\n"
    if path is not None:
        with whole(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return text


def sweep(folder: str | Path) -> None:
    """Remove what `whole` left half-written in a folder and those within, where a process was killed on the way."""
    for parent, folders, names in os.walk(folder, followlinks=False):
        for name in filter(LEFT_BEHIND.fullmatch, names):
            Path(parent, name).unlink(missing_ok=True)
        for name in filter(LEFT_BEHIND.fullmatch, folders):
            _clear(Path(parent, name))


def _clear(room: Path) -> None:
    """Remove a folder that `write_tensors` made, and the files in it; a link of that name is no such folder."""
    if room.is_symlink():
        return
    for left in room.iterdir():
        left.unlink(missing_ok=True)
    room.rmdir()


def _short(stem: str) -> str:
    """So much of a name that a temporary one made of it is no longer than file names may be."""
    return os.fsdecode(os.fsencode(stem)[:LONGEST_STEM]) if len(os.fsencode(stem)) > LONGEST_STEM else stem


def digest(path: Path) -> str:
    """The SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_tensors(
    path: str | Path,
    tensors: "dict[str, Tensor]",
    metadata: dict[str, str] | None = None,
    then: Callable[[Path], None] | None = None,
) -> None:
    """A safetensors file that is whole or not there; raises UserError as `whole` does.

    `then` is called with the temporary file, complete, before it takes its place.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with whole(path, suffix="") as temporary:  # who looks for *.safetensors must find whole ones only
        temporary.touch()
        mode = temporary.stat().st_mode
        # In a folder of its own, since safetensors leaves files of any name beside it when it is killed.
        room = temporary.with_name(f"{temporary.name}.d")
        room.mkdir()
        try:
            save_file(tensors, room / "tensors", metadata)
            (room / "tensors").replace(temporary)
        except SafetensorError as error:  # also for a full disk
            raise OSError(str(error)) from error
        finally:
            _clear(room)
        temporary.chmod(mode)  # safetensors makes files that only their owner may read
        if then is not None:
            then(temporary)
