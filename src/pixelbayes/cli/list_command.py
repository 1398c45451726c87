"""`pixelbayes list`: what recipes, runs and models there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, UseAppendAction, arg

from ..errors import UserError, printable, unknown
from .arguments import Flag, optional, read

if TYPE_CHECKING:
    from rich.table import Table

    from ..runs import RunSummary

WHAT = ("recipes", "runs", "models")
WRONG = "what is wrong"


@dataclass
class List:
    """List recipes, training runs or models; with a NAME, the whole of one.

    A recipe's name prints it as TOML, to be saved and changed. For runs and models, NAME may be the folder that
    they lie in (runs/ when not given) or one of them. Without a NAME, the ready models are listed, too: their names
    stand wherever a model's folder does.

    examples:
      pixelbayes list recipes
      pixelbayes list recipes cpen455-small > mine.toml
      pixelbayes list runs runs/
      pixelbayes list models runs/demo
    """

    what: Annotated[Literal["recipes", "runs", "models"], Positional, arg(metavar="recipes|runs|models")]
    """What to list."""
    name: Annotated[str | None, Positional, optional("NAME")] = None
    """One of them, or the folder to look in."""
    csv: Flag = False
    """Runs: all columns, as CSV (with the data, the seed of the split and the whole numbers)."""
    imports: Annotated[UseAppendAction[tuple[str, ...]], optional("MODULE", name="import")] = ()
    """A Python module with parts of your own, which a recipe may name; may be repeated."""


def run(arguments: Sequence[str]) -> None:
    if arguments and not arguments[0].startswith("-") and arguments[0] not in WHAT:
        raise unknown("list", arguments[0], WHAT)
    options = read(List, arguments, "list")
    if options.imports:
        from ..extensions import import_extensions

        import_extensions(options.imports)
    if options.what == "recipes":
        _recipes(options.name)
    elif options.what == "runs":
        _runs(_place(options.name), options.csv)
    elif options.name is None:
        _ready_models()
    else:
        _models(_place(options.name))


def _place(name: str | None) -> str:
    """The folder that is meant: runs/ when there is no name, runs/NAME where NAME is no folder itself."""
    from pathlib import Path

    inside = Path("runs") / (name or "")
    return str(inside) if name is None or (not Path(name).exists() and inside.is_dir()) else name


def _recipes(name: str | None) -> None:
    from ..recipe import load_recipe, recipes, to_toml

    if name is not None:
        print(to_toml(load_recipe(name)), end="")
        return
    from ..cost import remembered_cost
    from ..progress import track
    from .presenting import add_names, plain_table, show

    table = plain_table("recipes (pixelbayes list recipes NAME prints one)")
    add_names(table, "recipe", recipes())
    table.add_column("what it is")
    for heading in ("parameters", "GFLOP\nan image"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in track(recipes(), "counting"):
        recipe = load_recipe(each)
        cost = remembered_cost(recipe)
        table.add_row(each, recipe.summary, f"{cost.parameters:,}", f"{cost.flop / 1e9:.3g}")
    show(table)


def _runs(folder: str, as_csv: bool) -> None:
    from pathlib import Path

    from ..runs import find_runs
    from .presenting import show

    runs = find_runs(folder)
    if not runs:
        raise UserError(f"there are no runs in {folder}")
    if as_csv:
        _write_csv(runs)
        return
    show(_table_of_runs(runs, folder))
    _tell_broken({each.name(folder): each.broken for each in runs})
    summary = Path(folder) / "training.json"
    if runs[0].folder == Path(folder) and summary.is_file():
        print(summary.read_text(encoding="utf-8"), end="")


def _write_csv(runs: "list[RunSummary]") -> None:
    """Every field of every run, on stdout."""
    import csv
    import sys
    from dataclasses import fields

    names = [each.name for each in fields(runs[0])]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([getattr(each, name) for name in names] for each in runs)


def _table_of_runs(runs: "list[RunSummary]", folder: str) -> "Table":
    """What tells runs apart, in 80 columns; names are folded only where they are longer than their column."""
    from .presenting import add_names, number, plain_table

    table = plain_table(f"runs in {folder} (--csv has all columns)")
    add_names(table, "run", [each.name(folder) for each in runs])
    for heading in ("network", "strategy"):
        table.add_column(heading, no_wrap=True)
    folds = ["folds"] if any(each.fold_of for each in runs) else []
    for heading in ("seed", *folds, "steps", "bits", "acc.", "min"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in runs:
        table.add_row(
            each.name(folder), each.network, each.strategy, number(each.seed, "d"),
            *([each.fold_of] if folds else []),
            number(each.steps, "d"), number(each.bits_per_dim, ".4f"), _accuracy(each),
            number(each.minutes, ".1f"),
        )  # fmt: skip
    if any(each.accuracy is not None and not each.calibrated for each in runs):
        table.caption = "accuracy on validation, calibrated; ~: not calibrated (yet)"
        table.caption_justify = "left"
    return table


def _tell_broken(reasons: dict[str, str]) -> None:
    """What is wrong with the entries whose files cannot be read as they should, by name."""
    broken = {name: reason for name, reason in reasons.items() if reason}
    if not broken:
        return
    print(f"{WRONG}:")
    for name, reason in broken.items():
        print(f"  {printable(name)}: {printable(reason)}")


def _accuracy(run: "RunSummary") -> str:
    """The accuracy on validation; marked where it is that of Bayes' rule alone."""
    if run.accuracy is None:
        return ""
    return f"{'' if run.calibrated else '~'}{run.accuracy:.1%}"


def _ready_models() -> None:
    """The models that came along, by name, and those in runs/ where there is such a folder."""
    from pathlib import Path

    from ..ready import ready_models
    from ..runs import find_models
    from .presenting import show

    ready = {name: find_models(folder)[0] for name, folder in ready_models().items()}
    title = "ready models, to be named instead of a folder"
    show(_table_of_models(title, {name: each.config for name, each in ready.items()}))
    if Path("runs").is_dir() and find_models("runs"):
        _models("runs")


def _models(folder: str) -> None:
    import json
    from pathlib import Path

    from ..runs import find_models
    from .presenting import show

    models = find_models(folder)
    if not models:
        raise UserError(f"there are no models in {folder}")
    if models[0].folder == Path(folder):
        if models[0].broken:
            raise UserError(f"{folder}: {models[0].broken}")
        print(json.dumps(models[0].config, indent=2))
        return
    show(
        _table_of_models(
            f"models in {folder}", {str(each.folder): each.config for each in models if not each.broken}
        )
    )
    _tell_broken({str(each.folder): each.broken for each in models})


def _table_of_models(title: str, configs: dict[str, dict[str, Any]]) -> "Table":
    """What models are, by their names or folders."""
    from .presenting import add_names, plain_table

    table = plain_table(title)
    add_names(table, "model", list(configs))
    table.add_column("network", no_wrap=True)
    table.add_column("images", no_wrap=True)
    table.add_column("classes")
    for name, config in configs.items():
        table.add_row(name, *_spell(config))
    return table


def _spell(config: dict[str, Any]) -> tuple[str, str, str]:
    """Network, images and classes of a model's config.json."""
    parts = config.get("model", {})
    shape, classes = parts.get("shape", {}), parts.get("classes", [])
    images = "x".join(str(shape.get(name)) for name in ("channels", "height", "width"))
    names = ", ".join(classes[:6]) + (f", ... ({len(classes)})" if len(classes) > 6 else "")
    return (
        str(parts.get("network", {}).get("name", "")),
        f"{images}, {shape.get('levels')} levels",
        names or "none",
    )
