"""The tables that `evaluate`, `calibrate` and `compare` print; none is wider than 80 columns."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.table import Table

from ..measure.comparing import CHANCE
from .presenting import plain_table

if TYPE_CHECKING:
    from ..measure import Comparison, Metrics, Rival, Scores
    from ..measure.foreign import Separation
    from ..measure.scores import ClassScores
    from ..measure.seen import Seen

WIDTH = 80
NAME = 24  # columns of a class name or a file
MOST_CLASSES = 20  # in a table
SEEN = (0.1, 0.25, 0.5, 0.75, 1.0)  # shares of the pixels, of which the accuracy is printed
ROWS = (
    ("accuracy", "accuracy", ".2%"),
    ("balanced accuracy", "balanced_accuracy", ".2%"),
    ("macro F1", "macro_f1", ".4f"),
    ("calibration error (ECE)", "calibration_error", ".2%"),
    ("log loss (NLL), nats", "log_loss", ".4f"),
    ("Brier score", "brier", ".4f"),
)
"""What a table of scores shows: its name, the field of `Scores`, and how it is written."""


def figures_table(metrics: "Metrics", calibrated: bool) -> Table:
    """The scores with their intervals, beside those of Bayes' rule without calibration."""
    table = plain_table("")
    table.title = None
    alone = "Bayes' rule alone"
    for heading in (
        "",
        "calibrated" if calibrated else alone,
        "95 % interval",
        *([alone] if calibrated else []),
    ):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for name, field, form in ROWS:
        interval = metrics.intervals.get(field)
        ends = "" if interval is None else f"{interval.low:{form}} to {interval.high:{form}}"
        cells = [format(getattr(metrics.calibrated, field), form), ends]
        table.add_row(
            name, *cells, *([format(getattr(metrics.uncalibrated, field), form)] if calibrated else [])
        )
    return table


def score_columns(columns: "Sequence[tuple[str, Scores]]", title: str = "") -> Table:
    """Scores side by side, under their headings."""
    table = plain_table(title)
    table.add_column("")
    for heading, _ in columns:
        table.add_column(heading, justify="right")
    for name, field, form in ROWS:
        table.add_row(name, *(format(getattr(scores, field), form) for _, scores in columns))
    return table


def classes_table(classes: "Sequence[ClassScores]") -> Table:
    """Precision, recall and F1 of each class; of many, of those that are found worst."""
    listed = list(classes)
    if len(listed) > MOST_CLASSES:
        listed = sorted(listed, key=lambda each: 2.0 if each.f1 is None else each.f1)[:MOST_CLASSES]
    table = plain_table(
        "each class"
        if len(listed) == len(classes)
        else f"the {len(listed)} of {len(classes)} classes that are found worst"
    )
    table.add_column("", no_wrap=True)
    for heading in ("images", "precision", "recall", "F1"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in listed:
        shares = (each.precision, each.recall, each.f1)
        table.add_row(
            short(each.name),
            f"{each.images:,}",
            *("-" if share is None else f"{share:.1%}" for share in shares),
        )
    return table


def confusion_table(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> Table | None:
    """Rows are the true classes, columns the predicted ones, by number where names are too wide; None for too many."""
    widest = max(len(str(count)) for row in matrix for count in row)
    numbered = [f"{index} {short(name)}" for index, name in enumerate(names)]
    for rows, columns in (
        ([short(name) for name in names], list(names)),
        (numbered, [str(i) for i in range(len(names))]),
    ):
        needed = max(map(cell_len, rows)) + 3 + sum(max(widest, cell_len(name)) + 2 for name in columns)
        if needed <= WIDTH:
            break
    else:
        return None
    table = plain_table("true class (rows), predicted class (columns)")
    table.add_column("", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for name, row in zip(rows, matrix, strict=True):
        table.add_row(name, *(str(count) for count in row))
    return table


def rivals_table(rivals: "Sequence[Rival]", metrics: "Metrics") -> Table:
    """Simple classifiers beside the model."""
    parts = sorted({f"{each.images:,}" for each in rivals if each.images < metrics.labelled})
    judged = f"; judged on {' or '.join(parts)} of {metrics.labelled:,} images" if parts else ""
    table = plain_table(
        f"simple classifiers, trained on {rivals[0].trained_on:,} of its training images{judged}"
    )
    table.add_column("", no_wrap=True)
    for heading in ("accuracy", "balanced"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("than the model", no_wrap=True)
    for each in rivals:
        shares = f"{each.accuracy:.2%}", f"{each.balanced_accuracy:.2%}"
        table.add_row(each.name, *shares, _against(each.comparison))
    if metrics.calibrated is not None:
        table.add_row(
            "this model",
            f"{metrics.calibrated.accuracy:.2%}",
            f"{metrics.calibrated.balanced_accuracy:.2%}",
            "",
        )
    return table


def _against(comparison: "Comparison") -> str:
    """How a classifier (A) stands to the model (B), in a word or two."""
    p = "p < 0.0001" if comparison.p_value < 1e-4 else f"p = {comparison.p_value:.2g}"
    if comparison.p_value >= CHANCE:
        return f"within chance ({p})"
    return f"{'better' if comparison.difference < 0 else 'worse'} ({p})"


def seen_table(seen: "Seen") -> Table:
    """Accuracy after some shares of the pixels."""
    table = plain_table("accuracy by the pixels seen, by Bayes' rule alone")
    table.add_column("pixels seen")
    columns = [min(range(len(seen.shares)), key=lambda i, s=share: abs(seen.shares[i] - s)) for share in SEEN]  # type: ignore[misc]
    for column in columns:
        table.add_column(f"{seen.shares[column]:.0%}", justify="right")
    table.add_row("accuracy", *(f"{seen.accuracies[column]:.1%}" for column in columns))
    return table


def short(name: str) -> str:
    """A class name that fits into its column; what is left out is in the middle."""
    half = (NAME - 1) // 2
    return name if cell_len(name) <= NAME else f"{name[: NAME - 1 - half]}…{name[-half:]}"


def comparison_tables(comparison: "Comparison", a: str, b: str) -> list[Table]:
    """The accuracies of A and B with their intervals, and the images by which of them was right."""
    each = plain_table(f"on {comparison.images:,} images")
    each.add_column("", no_wrap=True)
    each.add_column("file", overflow="fold", max_width=36)
    for heading in ("accuracy", "95 % interval"):
        each.add_column(heading, justify="right", no_wrap=True)
    rows = zip("AB", (a, b), comparison.accuracies, comparison.intervals, strict=True)
    for name, file, accuracy, (low, high) in rows:
        each.add_row(name, file, f"{accuracy:.2%}", f"{low:.1%} to {high:.1%}")
    pairs = plain_table("images by who named them right")
    pairs.add_column("", no_wrap=True)
    for heading in ("B right", "B wrong"):
        pairs.add_column(heading, justify="right", no_wrap=True)
    pairs.add_row("A right", f"{comparison.both:,}", f"{comparison.only_a:,}")
    pairs.add_row("A wrong", f"{comparison.only_b:,}", f"{comparison.neither:,}")
    return [each, pairs]


def foreign_table(separations: Sequence["Separation"]) -> Table:
    """How well each score tells foreign images, which are the positive ones, from known ones."""
    table = plain_table("foreign images: how well each score tells them from known ones")
    for column in ("score", "AUROC", "AUPR", "FPR at 95 % found"):
        table.add_column(column, justify="left" if column == "score" else "right")
    for each in separations:
        table.add_row(each.name, f"{each.auroc:.3f}", f"{each.aupr:.3f}", f"{each.fpr95:.3f}")
    return table
