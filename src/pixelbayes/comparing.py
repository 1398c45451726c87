"""`pb.compare`: the predictions of two models for the same images, read from their CSV files."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import UserError, check_path
from .measure import Comparison, compare_answers

PATHS = ("path", "id", "file", "filename", "image")
"""Columns that name an image, the first of these that a file has."""
ANSWERS = ("predicted", "prediction", "label")
TRUTHS = ("true", "label")
UNKNOWN_WORDS = ("", "-1")


@dataclass(frozen=True)
class Predictions:
    """A file's answers, and its true classes where it has them, by image; `names`: what its indices stand for."""

    file: str
    answers: dict[str, str]
    truths: dict[str, str]
    names: dict[str, str]


def compare(
    a: str | Path, b: str | Path, labels: str | Path | Mapping[str, object] | None = None
) -> Comparison:
    """Compare two CSV files of predictions, as `classify --csv` and `evaluate` write them, image by image.

    Images are joined by their paths. labels: the true classes, where the files have none: a CSV file with a header
    (path,label), or a mapping from paths. Images of unknown class are left out. Raises UserError for files of different
    images, an image that occurs twice, and where the files disagree on the truth or there is none.

    Args:
        a: a CSV file of predictions.
        b: another one, of the same images.
        labels: a CSV file (path,label) or a mapping from paths, where the files hold no true class.

    Returns:
        A `Comparison`: both accuracies with intervals, their difference, and McNemar's p-value.

    Example:
        pb.compare("a/predictions.csv", "b/predictions.csv").p_value
    """
    first, second = read_predictions(a), read_predictions(b)
    _same_images(first, second)
    spell = _Spelling(first, second)
    truths = _truths(first, second, spell) if labels is None else _given(first, labels, spell)
    if not truths:
        raise UserError(
            f"there are no true classes in {first.file} and {second.file}: give them with --labels FILE.csv "
            "(path,label)"
        )
    return compare_answers(
        [spell(first.answers[path], first.names) == truth for path, truth in truths.items()],
        [spell(second.answers[path], second.names) == truth for path, truth in truths.items()],
    )


class _Spelling:
    """The same word for a class in both files: its name where one of them has it, else its index.

    Each file counts the classes as its own model does; a table of labels counts as both do, or not at all.
    """

    def __init__(self, first: Predictions, second: Predictions) -> None:
        self.files = f"{first.file} and {second.file}"
        self.alike = all(first.names.get(index, name) == name for index, name in second.names.items())
        self.joint = {**second.names, **first.names}

    def __call__(self, word: str, own: Mapping[str, str]) -> str:
        """The word for a class of the file with the names `own` (empty: no indices, or whose is not known)."""
        if word in own:
            return own[word]
        if not own and word in self.joint.values():
            return word
        if word in self.joint and not self.alike:
            raise UserError(
                f"{self.files} count their classes differently, so that {word} may be {self.joint[word]} or another: "
                "give the true classes by name, with --labels FILE.csv (path,label)"
            )
        if own and word not in self.joint and word in self.joint.values():
            return f"class number {word}"  # an index that neither file names is no class of that name
        return self.joint.get(word, word)


def read_predictions(file: str | Path) -> Predictions:
    """A CSV with a header: a column of paths, one of predicted classes, and perhaps one of true ones.

    Where a file has names beside its indices (`predicted` and `name`), an index is the class that it stands for there.
    """
    header, rows = _table(file)
    path, answer = _column(header, PATHS, file, "images"), _column(header, ANSWERS, file, "answers")
    truth = next((name for name in TRUTHS if name in header and name != answer), None)
    answers: dict[str, str] = {}
    truths: dict[str, str] = {}
    names: dict[str, str] = {}
    for number, row in enumerate(rows, 2):
        image, named = (row.get(path) or "").strip(), (row.get(answer) or "").strip()
        if not image or not named:
            raise UserError(f"{file}, line {number}: the {'image' if not image else 'answer'} is missing")
        if image in answers:
            raise UserError(f"{file}, line {number}: {image} occurs twice")
        answers[image] = named
        if answer == "predicted" and row.get("name"):
            names[named] = row["name"].strip()
        if truth is not None:
            truths[image] = (row.get(truth) or "").strip()
    if not answers:
        raise UserError(f"{file} holds no predictions")
    return Predictions(str(file), answers, truths, names)


def _table(file: str | Path) -> tuple[list[str], list[dict[str, str]]]:
    """The header of a CSV file and its rows; UserError where it cannot be read."""
    check_path("the CSV file", file)
    try:
        with Path(file).open(newline="", encoding="utf-8-sig") as opened:
            reader = csv.DictReader(opened)
            reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
            return list(reader.fieldnames), list(reader)
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file} cannot be read as CSV: {error}") from None


def _column(header: Sequence[str], names: Sequence[str], file: str | Path, what: str) -> str:
    column = next((name for name in names if name in header), None)
    if column is None:
        raise UserError(
            f"{file} has no column of {what} (one of: {', '.join(names)}); "
            f"its header is: {', '.join(header) or 'empty'}"
        )
    return column


def _same_images(first: Predictions, second: Predictions) -> None:
    """UserError unless both are of the same images."""
    for one, other in ((first, second), (second, first)):
        missing = [path for path in one.answers if path not in other.answers]
        if missing:
            raise UserError(
                f"{first.file} and {second.file} are of different images: {len(missing):,} of {one.file}, such as "
                f"{missing[0]}, are not in {other.file}"
            )


def _truths(first: Predictions, second: Predictions, spell: _Spelling) -> dict[str, str]:
    """The known true classes by image; UserError where the files disagree."""
    truths: dict[str, str] = {}
    for each in (first, second):
        for path, word in each.truths.items():
            if word in UNKNOWN_WORDS:
                continue
            truth = spell(word, each.names)
            if truths.setdefault(path, truth) != truth:
                raise UserError(
                    f"{first.file} and {second.file} disagree on the class of {path}: {truths[path]} and {truth}; give "
                    "the true ones with --labels FILE.csv (path,label)"
                )
    return truths


def _given(first: Predictions, labels: str | Path | Mapping[str, object], spell: _Spelling) -> dict[str, str]:
    """The known true classes by image, from a file or a mapping; UserError where some of the images are not in it."""
    given = _labels(labels)
    missing = [path for path in first.answers if path not in given]
    if missing:
        raise UserError(f"the labels lack {len(missing):,} of the images, such as {missing[0]}")
    return {path: spell(given[path], {}) for path in first.answers if given[path] not in UNKNOWN_WORDS}


def _labels(labels: str | Path | Mapping[str, object]) -> dict[str, str]:
    if isinstance(labels, Mapping):
        return {str(path): str(label).strip() for path, label in labels.items()}
    header, rows = _table(labels)
    path, label = (
        _column(header, PATHS, labels, "images"),
        _column(header, ("label", "true", "class"), labels, "labels"),
    )
    of_images: dict[str, str] = {}
    for number, row in enumerate(rows, 2):
        image = (row.get(path) or "").strip()
        if image in of_images:
            raise UserError(f"{labels}, line {number}: {image} occurs twice")
        of_images[image] = (row.get(label) or "").strip()
    return of_images
