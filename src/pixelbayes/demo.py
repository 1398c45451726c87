"""From nothing to a report in under three minutes: train on the bundled digits, and show what the model can do."""

from dataclasses import replace
from pathlib import Path
from shlex import quote
from time import monotonic

from .api import train
from .data import open_dataset
from .errors import UserError
from .examining import examine
from .folders import claim_folder
from .gathering import Beside, source_of
from .journals import JOURNAL
from .measure import Metrics
from .model import AutoregressiveImageModel
from .pictures import curves, sheet
from .products import Products
from .progress import say, spell_seconds
from .recipe import load_recipe
from .reporting import LEFT, write_page
from .reports import Command, Source
from .tasks.generate import generate
from .training.state_files import refuse_foreign

MINUTES = 2.4
LEAD = (
    "One network learned how probable each image of each digit is, pixel by pixel. From that alone it draws new "
    "digits, and classifies by asking which class makes an image most probable."
)
SAMPLES_PER_CLASS = 10


def demo(
    out: str | Path = "runs/demo",
    minutes: float | None = None,
    seed: int = 0,
    device: str = "auto",
    max_steps: int | None = None,
) -> Metrics:
    """Train the recipe `digits` for some minutes, measure it on the held-out digits, and write to `out`:
    the model, metrics.json, predictions.csv, curves.png, samples.png, confusion.png, reliability.png, mistakes.png and
    report.html.

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
    evaluation = examine(model, images, train=dataset.train)
    assert evaluation is not None
    products = Products(folder, "demo")
    evaluation.write(products)
    _draw(model, folder, seed)
    seconds = monotonic() - begun
    source = replace(
        source_of(model, folder, evaluation, Beside(dataset.train, "test", seed=seed)),
        title=f"Handwritten digits, learned in {spell_seconds(seconds)}",
        lead=LEAD,
        commands=next_commands(folder),
    )
    write_page(products, source)
    products.finish()
    _tell(source, seconds)
    return evaluation.metrics


def _claim(folder: Path) -> None:
    """The demo owns its folder, but no other one, such as a model that took hours."""
    if folder.is_file():
        raise UserError(f"{folder} is a file; the demo needs a folder")
    products = Products(folder, "demo")
    if folder.is_dir() and any(folder.iterdir()) and not products.matching("*"):
        raise UserError(f"{folder} is not empty and holds no earlier demo; choose another --out")
    products.refuse_foreign(LEFT)
    refuse_foreign(folder)
    claim_folder(folder, overwrite=True)


def _draw(model: AutoregressiveImageModel, folder: Path, seed: int) -> None:
    """The run's samples and curves, with more images of each class."""
    names = model.classes.names
    labels = [name for name in names for _ in range(SAMPLES_PER_CLASS)]
    sheet(generate(model, labels, seed=seed), model.shape, folder / "samples.png", names)
    curves(folder / JOURNAL, folder / "curves.png", model.record.training.step)


def next_commands(folder: Path) -> list[Command]:
    """What to try with the demo's model."""
    model, out = quote(str(folder)), quote(str(folder.parent / f"{folder.name}-digits"))
    return [
        Command(
            f"pixelbayes generate {model} --per-class 25 --out {out}", "draw 25 new digits of each class"
        ),
        Command(f"pixelbayes classify {model} {out}", "read them back by Bayes' rule"),
        Command(
            f"pixelbayes evaluate {model} --split test", "measure the model on the held-out digits again"
        ),
        Command(
            "pixelbayes train YOUR-IMAGES --minutes 10", "the same for your own: a folder for each class"
        ),
    ]


def _tell(source: Source, seconds: float) -> None:
    """The held-out figures beside the baselines, and what to try next."""
    folder = source.folder or Path()
    say(f"\n{'on ' + str(source.figures['images']) + ' held-out digits':<26}{'bits/dim':>9}{'accuracy':>10}")
    for row in source.comparisons:
        accuracy = "" if row.accuracy is None else f"{row.accuracy:.1%}"
        say(f"{row.name:<26}{row.bits_per_dim:>9.3f}{accuracy:>10}")
    say(f"\nall of this took {seconds:.0f} s; the report: {folder / 'report.html'}\n\ntry next:")
    for command in source.commands:
        say(f"  {command.line:<78} # {command.purpose}")
