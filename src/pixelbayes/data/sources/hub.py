"""hub:NAME: image data sets of Hugging Face, also from a local folder or parquet files."""

from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from ...errors import UserError
from ..collection import Collection, Part, Source
from ..config import DataConfig
from ..decoding import read_facts, read_picture
from ..raw import BadImageError, Facts, Picture, Pictures
from ..words import SPLIT_WORDS, splits_of

SAMPLE = 100
LABEL_COLUMNS = ("label", "labels", "class", "fine_label", "category", "target")


class Hub(Source):
    """One data set, read with the `datasets` library (the extra 'hub')."""

    def __init__(self, name: str, config: DataConfig) -> None:
        self.name = f"hub:{name}"
        self.remote, self.local = name, Path(name)
        self.stream = config.stream

    @cached_property
    def parquet(self) -> dict[str, list[str]]:
        """Local parquet files by split: train-00000-of-00002.parquet and the like."""
        paths = [self.local] if self.local.is_file() else sorted(self.local.rglob("*.parquet"))
        files: dict[str, list[str]] = {}
        for path in paths:
            files.setdefault(_split_of(path, self.local), []).append(str(path))
        return files

    def files(self) -> list[Path]:
        """A remote set is pinned by its revision, which stands in for a file's state."""
        if self.local.exists():
            return sorted(path for path in [self.local, *self.local.rglob("*")] if path.is_file())
        return [Path(f"{self.name}@{_revision(self.remote)}")]

    def validates(self) -> bool:
        return "validation" in splits_of(self._load()).values()

    def read(self) -> Collection:
        loaded = self._load()
        splits: dict[str, Part] = {}
        classes: tuple[str, ...] | None = None
        known = splits_of(loaded)
        for name in known:
            rows = loaded[name]
            image, label, stated = _columns(rows, self.name)
            classes = classes or stated
            words = _words(rows, label, classes)
            names = [f"{self.name}/{name}/{row}" for row in range(len(words))]
            splits[known[name]] = Part(HubPictures(rows, image, len(words)), words, names)
        if not splits:
            raise UserError(
                f"{self.name} has no split named train, validation or test (found: {', '.join(loaded)})"
            )
        if "train" not in splits and len(splits) == 1:
            splits = {"all": next(iter(splits.values()))}
        others = ", ".join(name for name in loaded if name not in known)
        notices = [f"splits that are not taken: {others}"] if others else []
        return Collection(self.name, splits, classes, notices)

    def _load(self) -> dict[str, Any]:
        library = _library()
        try:
            if any((self.local / mark).is_file() for mark in ("state.json", "dataset_dict.json")):
                loaded = library.load_from_disk(str(self.local))
            elif self.local.exists():
                if not self.parquet:
                    raise UserError(
                        f"{self.name}: no parquet files there (for image files, give the folder alone)"
                    )
                loaded = library.load_dataset("parquet", data_files=self.parquet, streaming=self.stream)
            else:
                loaded = library.load_dataset(self.remote, streaming=self.stream)
        except UserError:
            raise
        except Exception as error:  # the library raises its own, pyarrow's, and network errors
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UserError(f"{self.name} cannot be loaded: {first}") from error
        if not isinstance(loaded, dict):
            return {"train": loaded}
        return {str(split): rows for split, rows in loaded.items()}


class HubPictures(Pictures):
    """Encoded images of one split, decoded by us; a stream is read forwards and begun again when needed."""

    sequential = True

    def __init__(self, rows: Any, column: str, count: int) -> None:
        self.rows = rows.select_columns([column]).cast_column(column, _library().Image(decode=False))
        self.column, self.count = column, count
        self._position = 0
        self._iterator: Iterator[dict[str, Any]] | None = None

    def __len__(self) -> int:
        return self.count

    def facts(self) -> list[Facts]:
        facts = []
        for row in islice(iter(self.rows), SAMPLE):
            with suppress(BadImageError):
                facts.append(read_facts(_content(row[self.column])))
        return facts

    def read(self, index: int) -> Picture:
        if hasattr(self.rows, "__len__"):  # not a stream
            return read_picture(_content(self.rows[index][self.column]))
        if self._iterator is None or index < self._position:
            self._iterator, self._position = iter(self.rows), 0
        row = next(islice(self._iterator, index - self._position, None))
        self._position = index + 1
        return read_picture(_content(row[self.column]))


def _library() -> Any:
    try:
        import datasets
    except ImportError as error:
        raise UserError("hub: needs a library that is not installed: pip install 'datasets>=3.0'") from error
    return datasets


def _revision(name: str) -> str:
    from huggingface_hub import HfApi

    try:
        return HfApi().dataset_info(name).sha or "unknown"
    except Exception:  # offline: whatever copy the library has then is another entry of the cache
        return "offline"


def _split_of(path: Path, root: Path) -> str:
    """By the file's name (train-00000-of-00002.parquet), else by a folder's (test/0000.parquet)."""
    folders = path.relative_to(root).parts[:-1] if root.is_dir() else ()
    words = [path.stem.lower(), *(name.lower() for name in reversed(folders))]
    named = (split for word in words for split, names in SPLIT_WORDS.items() if word.startswith(names))
    return next(named, "train")


def _columns(rows: Any, name: str) -> tuple[str, str | None, tuple[str, ...] | None]:
    """The image column and, if there is one, the label's, with the names of the classes if it states them.

    Raises UserError without images.
    """
    library, features = _library(), rows.features or {}
    images = [
        key
        for key, kind in features.items()
        # Parquet without the library's notes holds an image as {bytes, path}.
        if isinstance(kind, library.Image) or (isinstance(kind, dict) and set(kind) == {"bytes", "path"})
    ]
    if not images:
        raise UserError(f"{name} has no column of images (columns: {', '.join(features) or 'unknown'})")
    classed = [key for key, kind in features.items() if isinstance(kind, library.ClassLabel)]
    named = [key for key in LABEL_COLUMNS if key in features]
    label = next(iter([*classed, *named]), None)
    names = getattr(features.get(label), "names", None)
    return images[0], label, tuple(names) if names else None


def _words(rows: Any, label: str | None, names: tuple[str, ...] | None) -> list[str]:
    if label is None:
        return [""] * (len(rows) if hasattr(rows, "__len__") else sum(1 for _ in rows))

    def word(value: Any) -> str:
        if value is None or value == -1:
            return ""
        return names[value] if names is not None and isinstance(value, int) else str(value)

    return [word(row[label]) for row in rows.select_columns([label])]


def _content(cell: Any) -> bytes | Path:
    if cell is None:
        raise BadImageError("missing")
    return cell["bytes"] if cell.get("bytes") is not None else Path(cell["path"])
