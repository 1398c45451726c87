"""`pixelbayes train`: from labelled images to a model, in one command."""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, fields, make_dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, UseAppendAction, arg

from ..errors import UserError
from .arguments import Device, Flag, SkipBadImages, given, optional, peek, peek_all, read

if TYPE_CHECKING:
    from ..model import AutoregressiveImageModel
    from ..recipe import Recipe


@dataclass
class Train:
    """Train a model on labelled images: DATA alone is enough.

    DATA is digits (bundled), a folder with one sub-folder for each class, a folder with train.csv, validation.csv and
    test.csv (rows path,label), or a standard set (mnist, cifar10, celeba, ...) with --root FOLDER. Without --recipe,
    size, network, batch and schedule are planned from the data, the device and --minutes, and the plan is printed.
    The run's folder is itself the model (its best averaged weights). Beside it lie curves.png, samples.png and, of the
    validation images, metrics.json, predictions.csv, confusion.png, reliability.png, mistakes.png and report.html, one
    page with all of it.

    Every field of a recipe can be set by hand: --network.filters 64 --training.batch 32 --data.levels 2. The values
    shown for them below are those of the recipe (without one, where the planning starts).

    examples:
      pixelbayes train digits
      pixelbayes train photos/ --minutes 10
      pixelbayes train photos/ --recipe cpen455-small --network.filters 64 --out runs/wide
      pixelbayes train mnist --root mnist/ --network gated_pixelcnn --data.levels 2
      pixelbayes train photos/ --from runs/photos-001 --classes panda,koala --share 0.9
      pixelbayes train photos/ --out runs/wide --resume
      pixelbayes train photos/ --folds 5 --minutes 10
    """

    source: Annotated[str, Positional, arg(metavar="DATA")]
    """The images (see above)."""
    recipe: Annotated[str | None, optional("RECIPE")] = None
    """A recipe's name (pixelbayes list recipes) or a TOML file."""
    out: Annotated[Path | None, optional("FOLDER")] = None
    """The run's folder; runs/NAME-001, counted up, when not given."""
    resume: Flag = False
    """Continue the run in --out."""
    overwrite: Flag = False
    """Start anew in a folder that is not empty."""
    minutes: Annotated[float | None, optional("M")] = None
    """A budget that the schedule spans, validation included."""
    max_steps: Annotated[int | None, optional("N")] = None
    """Stop after so many steps; the schedule does not change."""
    seed: Annotated[int | None, optional("S")] = None
    """Where weights, order and noise come from (the recipe's, or 0)."""
    device: Device = "auto"
    start: Annotated[str | None, optional("MODEL", name="from")] = None
    """Start from the weights of this model (fine-tuning), at a lower learning rate unless one is given."""
    classes: Annotated[str | None, optional("A,B")] = None
    """Fine-tuning: draw most samples from these classes (names or indices with commas)."""
    share: Annotated[float | None, optional("SHARE")] = None
    """Fine-tuning: the share of the samples that --classes get (0.9)."""
    add_validation: Flag = False
    """Train on the validation images too; then no validation figures are shown."""
    folds: Annotated[int | None, optional("K")] = None
    """k-fold evaluation: train K models, each on all folds but one, and judge every image by the model that has not
    seen it (--minutes and --max-steps are of each)."""
    page: bool = True
    """At the end judge the validation images: figures, predictions, pictures, and report.html."""
    root: Annotated[str | None, optional("FOLDER")] = None
    """The folder of a standard set's files."""
    class_names: Annotated[str | None, optional("A,B")] = None
    """Names of the classes with commas, in the order of their indices."""
    group_by: Annotated[str | None, optional("COLUMN|PATTERN")] = None
    """A CSV column, or a pattern of the file name, whose groups are never split."""
    label_column: Annotated[str | None, optional("COLUMN")] = None
    """A table's column of classes (name or number); several of 0 and 1 with commas; 'none': images without labels."""
    path_column: Annotated[str | None, optional("COLUMN")] = None
    """A table's column of the images' paths."""
    class_from: Annotated[str | None, optional("first|parent|path|PATTERN")] = None
    """Which folder on the way to an image is its class: the first, the last (parent), all (path), or the first group of
    a pattern of the path."""
    skip_bad_images: SkipBadImages = False
    imports: Annotated[UseAppendAction[tuple[str, ...]], optional("MODULE", name="import")] = ()
    """A Python module with your own network, distribution or label strategy; may be repeated."""
    network_name: Annotated[str | None, optional("NAME", name="network")] = None
    """Another network: pixelcnn_pp, pixelcnn, gated_pixelcnn, pixelsnail, or your own."""
    distribution_name: Annotated[str | None, optional("NAME", name="distribution")] = None
    """Another pixel distribution: logistic_mixture, categorical, bernoulli, or your own."""
    objective_name: Annotated[str | None, optional("NAME", name="objective")] = None
    """What is minimised: likelihood; hybrid (the labels, too, by Bayes' rule); or your own."""


SECTIONS = ("data", "network", "distribution", "fusion", "objective", "training", "augment")


def run(arguments: Sequence[str]) -> None:
    options, overrides = parse(arguments)
    with folder_of(options) as out:
        train(options, out, overrides)


def train(options: Any, out: Path, overrides: dict[str, Any]) -> None:
    """Train one model, or those of all folds, and say what to try next."""
    from .. import api
    from ..distributed import is_first
    from ..progress import say
    from ..tasks.classify import can_classify

    asked = {
        "recipe": options.recipe,
        "out": out,
        "minutes": options.minutes,
        "max_steps": options.max_steps,
        "seed": options.seed,
        "device": options.device,
        "resume": options.resume,
        "overwrite": options.overwrite,
        "imports": options.imports,
        **overrides,
    }
    if options.folds is not None:
        cross_validate(options, options.folds, out, asked)
        return
    model = api.train(options.source, start=options.start, **asked)
    if is_first():
        if options.page:
            hand_over(model, out)
        for line in next_steps(out, can_classify(model), options.page):
            say(line)


def hand_over(model: "AutoregressiveImageModel", out: Path) -> None:
    """The page and its figures; what keeps them from being written does not undo the training."""
    from ..progress import warn
    from ..reporting import hand_over as write_all

    try:
        write_all(model, out)
    except (UserError, OSError) as error:
        warn(f"the model is whole, but its page could not be written: {error}")


def cross_validate(options: Train, folds: int, out: Path, asked: dict[str, Any]) -> None:
    """k-fold evaluation, and what it found."""
    from ..cross_validation import cross_validate as api_cross_validate
    from ..distributed import is_first
    from ..progress import say
    from .presenting import confusion_table, score_line, show

    if options.start is not None or options.add_validation:
        raise UserError(
            "--folds trains each model anew on its own folds: leave out --from and --add-validation"
        )
    result = api_cross_validate(options.source, folds=folds, **asked)
    if not is_first():
        return
    pooled = result.pooled
    if pooled.confusion is not None:
        show(confusion_table(pooled.confusion, pooled.classes))
    bits = pooled.marginal_bits_per_dim if pooled.bits_per_dim is None else pooled.bits_per_dim
    scored = f", {score_line(pooled.calibrated)}" if pooled.calibrated else ""
    say(
        f"{pooled.images} images, each judged by a model that was not trained on it: {bits:.4f} bits/dim{scored}"
    )
    for name in ("bits_per_dim", "balanced_accuracy"):
        if (spread := result.spread(name)) is not None:
            say(
                f"over the {len(result.folds)} folds: {name} {spread[0]:.4f}, standard deviation {spread[1]:.4f}"
            )
    say(f"written: {out / 'metrics.json'}")


def folder_of(options: Train) -> AbstractContextManager[Path]:
    """The run's folder: the one that was named, or the next one after the data's name, reserved."""
    from ..folders import reserved, run_name

    if options.out is not None:
        return nullcontext(options.out)
    if options.resume:
        raise UserError("name the run to resume with --out")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError(
            "with several processes, name the run's folder with --out, so that all of them know it"
        )
    return reserved(run_name(options.source))


def next_steps(out: Path, classes: bool, page: bool = False) -> list[str]:
    """The folder, and what to try next."""
    read = f" Its page: {out / 'report.html'}." if page and (out / "report.html").is_file() else ""
    model = quote(str(out))
    last = f"classify {model} DATA --csv predictions.csv" if classes else f"list models {model}"
    return [
        "",
        f"The model, its curves and samples are in {out}.{read} Try next:",
        f"  pixelbayes generate {model} --per-class 25",
        f"  pixelbayes evaluate {model}",
        f"  pixelbayes {last}",
    ]


def parse(arguments: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    """The options, and the fields of the recipe that were set by hand.

    In two steps: the words that choose a recipe, a network, a distribution and an objective are read first, since they
    decide which other options exist and what their values are. `--training.objective` is another word of `--objective`.
    """
    from ..extensions import import_extensions
    from ..recipe import KINDS, override

    arguments = [word.replace("--training.objective", "--objective", 1) for word in arguments]
    import_extensions(peek_all(arguments, "--import"))
    kinds = {kind: word for kind in KINDS if (word := peek(arguments, f"--{kind}"))}
    recipe = override(_base(arguments), kinds, "the command line")
    if not fields(recipe.objective) and (words := [w for w in arguments if w.startswith("--objective.")]):
        raise UserError(f"{words[0]} is a setting of another objective: add --objective hybrid")
    options = read(options_for(recipe), arguments, "train")
    return options, kinds | _fields(options, given(arguments)) | _shortcuts(options)


def _base(arguments: Sequence[str]) -> "Recipe":
    """The recipe whose parts have options: the one that is named, else that of the run to resume or of the model to
    start from, where it can be read."""
    from ..recipe import Recipe, load_recipe

    if name := peek(arguments, "--recipe"):
        return load_recipe(name)
    for folder in (peek(arguments, "--out") if "--resume" in arguments else None, peek(arguments, "--from")):
        if folder and Path(folder).is_dir():
            with suppress(UserError):  # `train` says what is wrong with it
                return load_recipe(folder)
    return Recipe(name="own")


def options_for(recipe: "Recipe") -> type[Any]:
    """`Train` with an option for each field of the recipe, whose values are the defaults."""
    sections = [
        (name, type(value := getattr(recipe, name)), field(default=value)) for name in SECTIONS
    ]  # fmt: skip
    kind = make_dataclass("TrainOptions", sections, bases=(Train,))
    kind.__doc__ = Train.__doc__
    return kind


def _fields(options: Any, written: set[str]) -> dict[str, Any]:
    """`section.field` -> value, for the options of that form that were written."""
    values: dict[str, Any] = {}
    for word in sorted(written):
        section, _, name = word.partition(".")
        if name and section in SECTIONS:
            *tables, last = name.split(".")
            table = getattr(options, section)
            for inner in tables:
                table = getattr(table, inner)
            last = last if hasattr(table, last) else last.removeprefix("no_")
            values[".".join([section, *tables, last])] = getattr(table, last)
    return values


def _shortcuts(options: Any) -> dict[str, Any]:
    """The options with short names that stand for a field of the recipe."""
    if options.share is not None and options.classes is None:
        raise UserError("--share says how often --classes are drawn: name them")
    pairs = {
        "data.root": options.root,
        "data.class_names": _words(options.class_names),
        "data.group_by": options.group_by,
        "data.label_column": options.label_column,
        "data.path_column": options.path_column,
        "data.class_from": options.class_from,
        "data.skip_bad_images": options.skip_bad_images or None,
        "training.focus": _words(options.classes),
        "training.focus_share": options.share,
        "training.include_validation": options.add_validation or None,
    }
    return {name: value for name, value in pairs.items() if value is not None}


def _words(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(word.strip() for word in text.split(",") if word.strip())
