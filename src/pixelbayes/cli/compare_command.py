"""`pixelbayes compare`: is one of two models better, or is it chance?"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from .arguments import Flag, optional, read


@dataclass
class Compare:
    """Compare the predictions of two models for the same images: McNemar's exact test, and the difference's interval.

    The files are those of `classify --csv` and `evaluate` (predictions.csv): a header, a column of paths, one of
    predicted and one of true classes. Images are joined by their paths.

    examples:
      pixelbayes compare runs/a-evaluation-001/predictions.csv runs/b-evaluation-001/predictions.csv
      pixelbayes compare a.csv b.csv --labels truth.csv --json comparison.json
    """

    a: Annotated[Path, Positional, arg(metavar="A.csv")]
    """The predictions of one model."""
    b: Annotated[Path, Positional, arg(metavar="B.csv")]
    """Those of the other."""
    labels: Annotated[Path | None, optional("FILE")] = None
    """True classes (a header path,label), where the files have none."""
    json: Annotated[Path | None, optional("FILE")] = None
    """Write the numbers to this file."""
    overwrite: Flag = False
    """Replace the file of numbers if it exists."""


def run(arguments: Sequence[str]) -> None:
    options = read(Compare, arguments, "compare")

    from ..comparing import compare
    from ..files import to_json
    from ..progress import say
    from .evaluation_tables import comparison_tables
    from .presenting import refuse_existing, show

    refuse_existing(options.json, options.overwrite)
    comparison = compare(options.a, options.b, options.labels)
    for table in comparison_tables(comparison, str(options.a), str(options.b)):
        show(table)
    low, high = comparison.difference_interval
    say(
        f"accuracy of B minus that of A: {100 * comparison.difference:+.2f} points "
        f"(95 %: {100 * low:+.2f} to {100 * high:+.2f})"
    )
    say(comparison.verdict())
    if options.json is not None:
        to_json(comparison.as_dict(), options.json)
        say(f"written: {options.json}")
