"""The recipe `digits`, or a change of it, over several random divisions: 359 held-out digits are few for one figure.

    python -m benchmarks.digits --divisions 3 [--set training.schedule=cosine training.epochs=39] [--json FILE]

Division 0 is the demo's own; the others are drawn, stratified. Each model is trained by epochs with the division's
number as its seed. Prints errors and bits/dim (under the true class), of each division and together.
"""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedShuffleSplit

import pixelbayes as pb

HELD_OUT = 359


def main() -> None:
    options = arguments()
    rows = [judge(number, overrides(options.set)) for number in range(options.divisions)]
    errors, images = sum(row["errors"] for row in rows), sum(row["images"] for row in rows)
    bits = sum(row["bits_per_dim"] for row in rows) / len(rows)
    print(f"together: {errors} errors of {images:,} ({1 - errors / images:.2%} right), {bits:.4f} bits/dim")
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def judge(number: int, fields: dict[str, Any]) -> dict[str, Any]:
    """Train on one division and measure on its held-out digits."""
    data, labels, images, truth = division(number)
    with TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        model = pb.train(data, labels, recipe="digits", seed=number, out=out, **{"sample_every": 0, **fields})
    found = pb.evaluate(model, images, truth, progress=False)
    errors = round((1 - found.accuracy) * found.images)
    print(
        f"division {number}: {errors} errors of {found.images}, {found.bits_per_dim:.4f} bits/dim", flush=True
    )
    return {
        "division": number, "errors": errors, "images": found.images, "bits_per_dim": found.bits_per_dim,
    }  # fmt: skip


def division(number: int):
    """What to train on, its labels (None: its own), and held-out levels with their labels."""
    if number == 0:
        test = pb.open_dataset("digits").splits["test"]
        return "digits", None, test.levels, test.labels
    digits = load_digits()
    levels, labels = torch.from_numpy(digits.images[:, None]).byte(), torch.from_numpy(digits.target)
    cut = StratifiedShuffleSplit(1, test_size=HELD_OUT, random_state=number)
    seen, held_out = next(cut.split(levels, labels))
    return levels[seen], labels[seen], levels[held_out], labels[held_out]


def overrides(words: list[str]) -> dict[str, Any]:
    """`section.field=value`, numbers as numbers."""
    found = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--divisions", type=int, default=3)
    parser.add_argument("--set", nargs="*", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
