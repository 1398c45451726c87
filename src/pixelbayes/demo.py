"""From nothing to a report in under three minutes: train on the bundled digits, and show what the model can do."""

from pathlib import Path
from time import monotonic

from .api import train
from .data import open_dataset
from .errors import UserError
from .folders import claim_folder
from .measure import Metrics, baselines
from .measure.evaluation import measure
from .model import AutoregressiveImageModel
from .pictures import confusion, curves, sheet
from .products import Products
from .progress import say
from .recipe import load_recipe
from .report import Comparison, write_report
from .report.demo_page import Shown, next_commands, page
from .tasks.classify import classify
from .tasks.generate import generate
from .training.own_files import refuse_foreign

MINUTES = 2.4
SAMPLES_PER_CLASS = 10
FILES = ("metrics.json", "predictions.csv", "confusion.png", "report.html")
"""What the demo writes beside the run's own files."""


def demo(
    out: str | Path = "runs/demo",
    minutes: float | None = None,
    seed: int = 0,
    device: str = "auto",
    max_steps: int | None = None,
) -> Metrics:
    """Train the recipe `digits` for some minutes, measure it on the held-out digits, and write to `out`:
    the model, metrics.json, predictions.csv, curves.png, samples.png, confusion.png and report.html.

    An earlier demo in `out` is replaced. Raises UserError if `out` holds something else.
    """
    begun, folder = monotonic(), Path(out)
    _claim(folder)
    recipe = load_recipe("digits")
    dataset = open_dataset("digits", recipe.data)
    budget = {
        "minutes": MINUTES if minutes is None else minutes,
        "max_steps": max_steps,
        "seed": seed,
        "device": device,
    }
    model = train(dataset, recipe=recipe, out=folder, overwrite=True, **budget)  # type: ignore[arg-type]
    images = dataset.splits["test"]
    answers = classify(model, images.levels, progress=True)
    metrics = measure(model, answers.log_likelihoods, images.labels)
    metrics.to_json(folder / "metrics.json")
    answers.write_csv(folder / "predictions.csv", images.paths, images.labels)
    rows = [Comparison(**vars(row)) for row in baselines(dataset.train, images)]
    _draw(model, metrics, folder, seed)
    shown = Shown(model, dataset, images, answers, metrics, rows, folder, monotonic() - begun)
    write_report(page(shown), folder / "report.html")
    _tell(shown)
    return metrics


def _claim(folder: Path) -> None:
    """The demo owns its folder, but no other one, such as a model that took hours."""
    if folder.is_file():
        raise UserError(f"{folder} is a file; the demo needs a folder")
    products = Products(folder, "demo")
    if folder.is_dir() and any(folder.iterdir()) and not products.matching("*"):
        raise UserError(f"{folder} is not empty and holds no earlier demo; choose another --out")
    products.refuse_foreign(FILES)
    refuse_foreign(folder)
    claim_folder(folder, overwrite=True)
    products.note(FILES)


def _draw(model: AutoregressiveImageModel, metrics: Metrics, folder: Path, seed: int) -> None:
    names = model.classes.names
    labels = [name for name in names for _ in range(SAMPLES_PER_CLASS)]
    sheet(generate(model, labels, seed=seed), model.shape, folder / "samples.png", names)
    confusion(metrics.confusion or [], names, folder / "confusion.png")
    kept = (model.description.get("training") or {}).get("step")
    curves(folder / "journal.csv", folder / "curves.png", kept)


def _tell(shown: Shown) -> None:
    """The held-out figures beside the baselines, and what to try next."""
    say(f"\n{'on ' + str(len(shown.images)) + ' held-out digits':<26}{'bits/dim':>9}{'accuracy':>10}")
    for row in shown.comparisons:
        accuracy = "" if row.accuracy is None else f"{row.accuracy:.1%}"
        say(f"{row.name:<26}{row.bits_per_dim:>9.3f}{accuracy:>10}")
    say(f"\nall of this took {shown.seconds:.0f} s; the report: {shown.folder / 'report.html'}\n\ntry next:")
    for command in next_commands(shown.folder):
        say(f"  {command.line:<78} # {command.purpose}")
