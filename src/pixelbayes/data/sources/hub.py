"""hub:NAME: image data sets of Hugging Face, also from a local folder or parquet files."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...labels import Labels
from ..collection import Collection, Part
from ..config import DataConfig
from ..decoding import read_facts, read_picture
from ..raw import BadImageError, Facts, Picture
from ..split_names import WORDS, splits_of

SAMPLE = 100
LABEL_COLUMNS = ("label", "labels", "class", "fine_label", "category", "target")


class Hub:
    """One data set, read with the `datasets` library (the extra 'hub')."""

    def __init__(self, name: str, config: DataConfig) -> None:
        self.name = f"hub:{name}"
        self.place = name
        self.local = Path(name)
        self.stream = config.stream

    @cached_property
    def parquet(self) -> dict[str, list[str]]:
        """Local parquet files by split: train-00000-of-00002.parquet and the like."""
        paths = [self.local] if self.local.is_file() else sorted(self.local.rglob("*.parquet"))
        found: dict[str, list[str]] = {}
        for path in paths:
            found.setdefault(_split_of(path, self.local), []).append(str(path))
        return found

    def files(self) -> list[Path]:
        """A remote set is pinned by its revision, which stands in for a file's state."""
        if self.local.exists():
            return sorted(path for path in [self.local, *self.local.rglob("*")] if path.is_file())
        return [Path(f"{self.name}@{_revision(self.place)}")]

    def validates(self) -> bool:
        return "validation" in splits_of(map(str, self._load())).values()

    def read(self, config: DataConfig, classes: Labels | None) -> Collection:
        loaded = self._load()
        splits: dict[str, Part] = {}
        names: tuple[str, ...] | None = None
        known = splits_of(map(str, loaded))
        for found, rows in loaded.items():
            split = known.get(str(found))
            if split is None:
                continue
            image, label = _columns(rows, self.name)
            names = names or _class_names(rows, label)
            words = _words(rows, label, names)
            splits[split] = Part(
                HubPictures(rows, image, len(words)),
                words,
                [f"{self.name}/{found}/{row}" for row in range(len(words))],
            )
        if not splits:
            raise UserError(
                f"{self.name} has no split named train, validation or test (found: {', '.join(loaded)})"
            )
        if "train" not in splits:
            splits = {"all": next(iter(splits.values()))} if len(splits) == 1 else splits
        others = [str(found) for found in loaded if str(found) not in known]
        return Collection(
            self.name, splits, names, [f"splits that are not taken: {', '.join(others)}"] if others else []
        )

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
                loaded = library.load_dataset(self.place, streaming=self.stream)
        except UserError:
            raise
        except Exception as error:  # the library raises its own, pyarrow's, and network errors
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UserError(f"{self.name} cannot be loaded: {first}") from error
        return dict(loaded) if isinstance(loaded, dict) else {"train": loaded}


class HubPictures:
    """Encoded images of one split, decoded by us; a stream is read forwards and begun again when needed."""

    def __init__(self, rows: Any, column: str, count: int) -> None:
        self.rows = rows.select_columns([column]).cast_column(column, _library().Image(decode=False))
        self.column = column
        self.sequential = True
        self._count = count
        self._position = 0
        self._iterator: Iterator[dict[str, Any]] | None = None

    def __len__(self) -> int:
        return self._count

    def facts(self) -> list[Facts]:
        found = []
        for row in islice(iter(self.rows), SAMPLE):
            try:
                found.append(read_facts(_content(row[self.column])))
            except BadImageError:
                continue
        return found

    def read(self, index: int) -> Picture:
        if hasattr(self.rows, "__len__"):  # not a stream
            return read_picture(_content(self.rows[index][self.column]))
        if self._iterator is None or index < self._position:
            self._iterator, self._position = iter(self.rows), 0
        skipped = islice(self._iterator, index - self._position, None)
        row = next(skipped)
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
    named = (split for word in words for split, names in WORDS.items() if word.startswith(names))
    return next(named, "train")


def _columns(rows: Any, name: str) -> tuple[str, str | None]:
    """The image column and, if there is one, the label's. Raises UserError without images."""
    library = _library()
    features = rows.features or {}
    images = [key for key, kind in features.items() if isinstance(kind, library.Image) or _is_encoded(kind)]
    if not images:
        raise UserError(f"{name} has no column of images (columns: {', '.join(features) or 'unknown'})")
    classed = [key for key, kind in features.items() if isinstance(kind, library.ClassLabel)]
    named = [key for key in LABEL_COLUMNS if key in features]
    return images[0], next(iter([*classed, *named]), None)


def _is_encoded(kind: Any) -> bool:
    """Parquet without the library's notes holds an image as {bytes, path}."""
    return isinstance(kind, dict) and set(kind) == {"bytes", "path"}


def _class_names(rows: Any, label: str | None) -> tuple[str, ...] | None:
    kind: Any = rows.features[label] if label else None
    return tuple(kind.names) if hasattr(kind, "names") else None


def _words(rows: Any, label: str | None, names: tuple[str, ...] | None) -> list[str]:
    if label is None:
        count = len(rows) if hasattr(rows, "__len__") else sum(1 for _ in rows)
        return [""] * count
    values: Iterable[Any] = (row[label] for row in rows.select_columns([label]))
    return [_word(value, names) for value in values]


def _word(value: Any, names: tuple[str, ...] | None) -> str:
    if value is None or value == -1:
        return ""
    return names[value] if names is not None and isinstance(value, int) else str(value)


def _content(cell: Any) -> bytes | Path:
    if cell is None:
        raise BadImageError("missing")
    return cell["bytes"] if cell.get("bytes") is not None else Path(cell["path"])
