"""A command replaces the files in a folder that it wrote itself, and no others."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .errors import UserError
from .files import whole


def refuse_others_files(folder: str | Path, mark: str, names: Iterable[str]) -> None:
    """Raise UserError where one of the files `names` in `folder` is there and is not listed in its file `mark`."""
    own = listed(Path(folder) / mark)
    for name in names:
        if name not in own and (Path(folder) / name).exists():
            raise UserError(
                f"{Path(folder) / name} was not written by this command and is not replaced; choose another --out"
            )


@contextmanager
def owned_files(folder: str | Path, mark: str, names: Sequence[str]) -> Iterator[None]:
    """For the writing of the files `names` into `folder`: they are listed in its file `mark` before they come.

    When all are there, those that an earlier call wrote and this one did not are removed.
    """
    place = Path(folder)
    earlier = listed(place / mark)
    _list(place / mark, [*earlier, *names])
    yield
    for name in earlier.difference(names):
        (place / name).unlink(missing_ok=True)
    _list(place / mark, names)


def listed(mark: Path) -> set[str]:
    """The names in such a list: plain names of files beside it; none where there is no list."""
    if not mark.is_file():
        return set()
    names = mark.read_text(encoding="utf-8").splitlines()
    return {name for name in names if name and Path(name).name == name}


def _list(mark: Path, names: Iterable[str]) -> None:
    with whole(mark) as temporary:
        temporary.write_text("".join(f"{name}\n" for name in dict.fromkeys(names)), encoding="utf-8")
