"""The folder that a command writes: claimed once, never overwritten by accident."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import UserError, check_name

STATE = "state"
"""The folder within a training run that holds what the run can be continued from."""


LOCK = ".pixelbayes-lock"
"""The file that the one process holds that may write a folder."""


def run_name(word: str) -> str:
    """A short name for a run on the data that `word` names.

    >>> run_name("/home/ann/photos/"), run_name("hub:ylecun/mnist"), run_name("digits")
    ('photos', 'mnist', 'digits')
    """
    return Path(word.removeprefix("hub:").rstrip("/")).resolve().stem or "images"


def next_run(name: str, root: str | Path = "runs") -> Path:
    """The first free `root/NAME-001`, `root/NAME-002`, ...

    >>> next_run("digits", "/nowhere").name
    'digits-001'
    """
    number = 1
    while (folder := Path(root) / f"{name}-{number:03d}").exists():
        number += 1
    return folder


@contextmanager
def reserved(name: str, root: str | Path = "runs") -> Iterator[Path]:
    """The next free folder, made at once so that another process takes another one; it goes away if it stays empty."""
    new_root = not Path(root).exists()
    while True:
        folder = next_run(name, root)
        try:
            folder.mkdir(parents=True)
            break
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(f"cannot use the folder {folder}: {error.strerror or error}") from error
    try:
        yield folder
    finally:
        for made in (folder, *([Path(root)] if new_root else [])):
            if made.is_dir() and not any(made.iterdir()):
                made.rmdir()


def claim_folder(out: str | Path, overwrite: bool = False, resume: bool = False) -> Path:
    """Make `out` ready to be written and return it.

    An existing folder that holds anything is refused unless it may be written into: with `overwrite` its files
    are replaced one by one as new ones come, with `resume` they are continued. Nothing is deleted here.
    Raises UserError, also for a file of that name and for a place that cannot be written.
    """
    folder = Path(out)
    refuse_occupied(folder, overwrite or resume)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot use the folder {folder}: {error.strerror or error}") from error
    return folder


@contextmanager
def claimed(out: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """The claimed folder, for long work that writes at its end: one that is still empty after a failure goes away."""
    folder = claim_folder(out, overwrite)
    try:
        yield folder
    except BaseException:
        if not any(folder.iterdir()):
            folder.rmdir()
        raise


class FolderLock:
    """At most one process writes a folder at a time: `take` it, and `release` it at the end (the system does, whatever
    ends the process).

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, FolderLock() as lock:
    ...     lock.take(Path(folder))
    """

    def __init__(self) -> None:
        self._lock: Any = None
        self._folder = Path()

    def take(self, folder: Path) -> None:
        """Take the folder, which must exist; nothing happens where it is taken by this lock already.

        Raises UserError where another process (or thread) has it.
        """
        from filelock import FileLock, Timeout

        if self._lock is not None and self._folder == folder:
            return
        lock = FileLock(folder / LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise UserError(
                f"another process is writing {folder}: wait until it has ended, or choose another --out"
            ) from None
        except (OSError, NotImplementedError):  # a file system that knows no locks
            return
        self._lock, self._folder = lock, folder

    def release(self) -> None:
        """Give the folder free; one that holds nothing else is left empty."""
        if self._lock is None:
            return
        path = self._folder / LOCK
        if [item.name for item in self._folder.glob("*")] in ([], [LOCK]):
            path.unlink(missing_ok=True)
        self._lock.release()
        self._lock = None

    def __enter__(self) -> "FolderLock":
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


def refuse_unwritable(path: Path) -> None:
    """Raise UserError where a file or folder of that name could not be made or written; makes nothing."""
    nearest = next(each for each in (path, *path.absolute().parents) if each.exists())
    if nearest != path and not nearest.is_dir():
        raise UserError(f"cannot write {path}: {nearest} is a file, not a folder")
    if not os.access(nearest, os.W_OK):
        raise UserError(f"cannot write {path}: permission denied for {nearest}")


def refuse_occupied(folder: Path, allowed: bool = False) -> None:
    """Raise UserError for a file, for a folder that holds anything unless that is allowed, and for a place that cannot
    be written; makes nothing."""
    check_name(folder)
    try:
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder} is a file, and the output is a folder; choose another --out")
        if folder.is_dir() and not allowed and any(item.name != LOCK for item in folder.iterdir()):
            more = " (or train with --resume, to continue the run in it)" if holds_run(folder) else ""
            raise UserError(
                f"the folder {folder} exists and is not empty; choose another --out, or add --overwrite{more}"
            )
        refuse_unwritable(folder)
    except OSError as error:
        raise UserError(f"cannot use the folder {folder}: {error.strerror or error}") from error


def holds_run(folder: Path) -> bool:
    """Whether there is the state of a training run, or of one of its folds, that could be continued."""
    return (folder / STATE).is_dir() or any(folder.glob(f"*/{STATE}"))
