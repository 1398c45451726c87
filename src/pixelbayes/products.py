"""What a command wrote into a folder: a list kept beside the files, so that nothing else is ever replaced or deleted.

A file belongs to a command if the list names it, it is a plain file below the folder, no link lies on the way to
it, and it still holds what was written. Whatever a user put there, in whatever place and under whatever name, does not.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from .errors import UserError
from .files import digest, whole

ANYTHING = ""  # instead of a digest: a file that grows, or is too large to be read again
MOST_NAMES = 3  # of the user's files in a message


class Products:
    """The files that `kind` of command wrote into `folder`, by their names below it, such as '3/0001.png'.

    The list is `folder/.pixelbayes-KIND`, a JSON object a line; it grows as files are written, so that a process that
    is killed leaves no product unnamed. Names that lead out of the folder are not read from it.
    """

    def __init__(self, folder: str | Path, kind: str) -> None:
        self.folder, self.kind = Path(folder), kind
        self.list = self.folder / f".pixelbayes-{kind}"
        self._known = self._read()
        self._fresh: dict[str, str] = {}

    def owns(self, name: str) -> bool:
        """Whether the file of that name is there and was written by this kind of command, and not changed since."""
        path = self.folder / name
        if name not in self._known or self._link_on_the_way(name) is not None or not path.is_file():
            return False
        known = self._known[name]
        return ANYTHING in known or digest(path) in known

    def refuse_foreign(self, names: Iterable[str]) -> None:
        """Raise UserError where one of `names` is to be written, and something that is not ours lies there."""
        foreign, folder = [], self.folder
        for name in (self.list.name, *names):
            link = self._link_on_the_way(name)
            if link is not None:
                raise UserError(
                    f"{link} is a link, and nothing is written through links: choose another --out"
                )
            above = next((path for path in self._places(name)[:-1] if path.is_file()), None)
            own = name == self.list.name or not (folder / name).exists() or self.owns(name)
            if above is not None or not own:
                foreign.append(name if above is None else above.relative_to(folder).as_posix())
        if foreign:
            more = f" and {len(foreign) - MOST_NAMES:,} more" if len(foreign) > MOST_NAMES else ""
            listed = f"({', '.join(foreign[:MOST_NAMES])}{more})"
            raise UserError(
                f"{folder} holds files that were not written by such a command, or were changed since {listed}: "
                "choose another --out, or move them away"
                if self.list.is_file()
                else f"{folder} holds files {listed}, and no list of what was written there (earlier versions kept "
                "none, and your own files are on none): choose another --out, or delete them yourself"
            )

    @contextmanager
    def new(self, name: str) -> Iterator[Path]:
        """A temporary path to write; it takes its place under `name` when it is whole, and is listed just before."""
        with whole(self.folder / name) as temporary:
            yield temporary
            self._note(name, digest(temporary))

    def note(self, names: Iterable[str]) -> None:
        """List files that are about to be written by other means, whatever they will hold."""
        for name in names:
            self._note(name, ANYTHING)

    def _note(self, name: str, content: str) -> None:
        self._fresh[name] = content
        if content in self._known.setdefault(name, set()):
            return
        self._known[name].add(content)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self.list.open("a", encoding="utf-8") as file:
                file.write(_line(name, content))
        except OSError as error:
            raise UserError(f"cannot write {self.list}: {error.strerror or error}") from error

    def matching(self, pattern: str) -> list[str]:
        """The names that are listed and match a pattern, such as 'state/*', in their order.

        >>> Products("/nowhere", "run").matching("state/*")
        []
        """
        return sorted(name for name in self._known if fnmatchcase(name, pattern))

    def drop(self, names: Iterable[str]) -> None:
        """Delete those of the files that are ours, and folders that become empty."""
        for name in names:
            if not self.owns(name):
                continue
            (self.folder / name).unlink(missing_ok=True)
            parent = (self.folder / name).parent
            if parent != self.folder and not any(parent.iterdir()):
                parent.rmdir()

    def finish(self) -> None:
        """Delete what an earlier command wrote and this one did not; the list is of the new files alone."""
        self.drop(sorted(self._known.keys() - self._fresh.keys()))
        with whole(self.list, suffix="") as temporary:
            temporary.write_text("".join(_line(*item) for item in self._fresh.items()), encoding="utf-8")

    def _places(self, name: str) -> list[Path]:
        """The folders on the way to a product, and the product itself."""
        parts = PurePosixPath(name).parts
        return [self.folder.joinpath(*parts[: end + 1]) for end in range(len(parts))]

    def _link_on_the_way(self, name: str) -> Path | None:
        return next((path for path in self._places(name) if path.is_symlink()), None)

    def _read(self) -> dict[str, set[str]]:
        """The names that are listed, and what each file held; lines that are none are passed over."""
        known: dict[str, set[str]] = {}
        try:
            lines = self.list.read_text(encoding="utf-8").splitlines() if not self.list.is_symlink() else []
        except (OSError, UnicodeDecodeError):
            lines = []
        for line in lines:
            try:
                entry = json.loads(line)
                name, content = entry["path"], entry["sha256"] or ANYTHING
            except (ValueError, TypeError, KeyError, RecursionError):
                continue
            if isinstance(name, str) and isinstance(content, str) and _lies_below(name):
                known.setdefault(name, set()).add(content)
        return known


def _lies_below(name: str) -> bool:
    """Whether a name stays within its folder.

    >>> [_lies_below(name) for name in ("3/0001.png", "../mine.png", "/etc/passwd", "")]
    [True, False, False, False]
    """
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in name


def _line(name: str, content: str) -> str:
    return json.dumps({"path": name, "sha256": content or None}) + "\n"
