"""`pixelbayes evaluate`: likelihood and accuracy on held-out images."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import OmitArgPrefixes

from ..errors import UserError
from .arguments import Device, Flag, Imports, Model, Pairs, Root, SkipBadImages, optional, read
from .comparison_options import Comparisons

if TYPE_CHECKING:
    from ..data import ImageSet
    from ..examining import Evaluation
    from ..model import AutoregressiveImageModel
    from ..tasks.detect import Detector


@dataclass
class Evaluate:
    """Measure a model on held-out images: bits per dimension, accuracy with its interval, calibration, each class.

    Without --data it takes the data that the model was trained on. Simple classifiers (naive Bayes, a nearest
    neighbour, an SVM, a random forest) stand beside the model where its training images can be found. Writes
    OUT/metrics.json and, where classes are known, predictions.csv, confusion.png, reliability.png (is it right as often
    as it says?), mistakes.png (the surest ones) and, with --seen, seen.png; and report.html, one page with all of it.

    examples:
      pixelbayes evaluate runs/demo
      pixelbayes evaluate runs/photos-001 --split test --out results
      pixelbayes evaluate runs/photos-001 --data other-photos/ --no-baselines
      pixelbayes evaluate runs/demo --split test --seen
      pixelbayes evaluate runs/photos-001 --generation
      pixelbayes evaluate runs/photos-001 --against cnn --against-minutes 10
    """

    model: Model
    data: Annotated[str | None, optional("DATA")] = None
    """The images; those of the training when not given."""
    split: Annotated[str | None, optional("SPLIT")] = None
    """train, validation or test; when not given: validation where the data have one, else all of the images."""
    root: Root = None
    label_column: Annotated[str | None, optional("COLUMN")] = None
    """A table's column of classes (name or number; 'none': there is none)."""
    path_column: Annotated[str | None, optional("COLUMN")] = None
    """A table's column of the images' paths."""
    out: Annotated[Path | None, optional("FOLDER")] = None
    """The folder to write; runs/MODEL-evaluation-001, counted up, when not given."""
    views: Literal["none", "mirror", "turns", "all"] = "none"
    """The mean of the densities over mirrored or turned images, each at the cost of a pass."""
    batch: Pairs = None
    device: Device = "auto"
    seen: Flag = False
    """Accuracy against the share of the pixels that the model has seen, in raster order, too."""
    foreign: Annotated[str | None, optional("DATA")] = None
    """Images of another kind: how well each score of the model's detector tells them apart (detect MODEL --fit)."""
    foreign_root: Annotated[str | None, optional("FOLDER")] = None
    """The folder of the files of --foreign where it is a standard set."""
    baselines: bool = True
    """Simple classifiers beside the model, where the images of its training can be found."""
    page: bool = True
    """report.html, one page to hand over."""
    skip_bad_images: SkipBadImages = False
    overwrite: Flag = False
    """Replace what an earlier `evaluate` wrote there; no other file is touched."""
    imports: Imports = ()
    comparisons: Annotated[Comparisons, OmitArgPrefixes] = field(default_factory=Comparisons)


def run(arguments: Sequence[str]) -> None:
    options = read(Evaluate, arguments, "evaluate")
    from .. import checkpoint
    from ..detecting import measure_foreign
    from ..distributed import my_shard
    from ..examining import FILES, examine
    from ..extensions import import_extensions
    from ..folders import claimed
    from ..products import Products
    from ..progress import say, warn
    from ..reporting import PAGE, page_of_evaluation
    from ..tasks.classify import require_classes
    from ..views import check as check_views
    from .evaluation_tables import foreign_table
    from .presenting import check_positive, default_out, show

    check_positive(options.batch, "--batch")
    options.comparisons.check()
    import_extensions(options.imports)
    shard = my_shard(options.device)
    model = checkpoint.load(options.model, device=shard.device)
    if options.seen:
        require_classes(model)
    check_views(options.views, model.shape)
    if options.seen and options.views != "none":
        raise UserError("--seen is along the raster order of the upright image: leave out --views")
    foreign = _foreign_images(model, options)
    images = _images(model, options)
    for notice in images.notices if shard.first else ():
        warn(notice)
    train = _training_images(model, options) if options.baselines and shard.first else None
    words = {
        "train": train,
        "seen": options.seen,
        "batch": options.batch,
        "shard": shard,
        "views": options.views,
    }
    if not shard.first:
        examine(model, images, progress=False, **words)  # type: ignore[arg-type]
        return
    name = f"{Path(options.model).resolve().name}-evaluation"
    with claimed(options.out or default_out(name), options.overwrite) as out:
        products = Products(out, "evaluation")
        products.refuse_foreign((*FILES, PAGE, *options.comparisons.files))
        evaluation = examine(model, images, progress=True, **words)  # type: ignore[arg-type]
        assert evaluation is not None
        written = evaluation.write(products)
        written += options.comparisons.run(model, options.model, images, products)
        if options.page:
            folder = Path(options.model) if Path(options.model).is_dir() else None
            written.append(page_of_evaluation(model, folder, evaluation, train, options.split, products))
        products.finish()
    present(evaluation, calibrated=model.calibration.active)
    if foreign is not None:
        detector, others = foreign
        judged = measure_foreign(model, images, others, detector, batch=options.batch, progress=True)
        show(foreign_table(judged))
    say(f"written to {out}: {', '.join(written)}")


def _images(model: "AutoregressiveImageModel", options: Evaluate) -> "ImageSet":
    """The images to measure on."""
    from ..evaluating import held_out

    return held_out(
        model,
        options.data,
        options.split,
        options.skip_bad_images,
        options.root,
        label_column=options.label_column,
        path_column=options.path_column,
    )


def _foreign_images(
    model: "AutoregressiveImageModel", options: Evaluate
) -> "tuple[Detector, ImageSet] | None":
    """The model's detector and the images of --foreign, before the work; None without them."""
    from ..detecting import unlabelled
    from ..tasks.detect import load_detector

    if options.foreign is None:
        if options.foreign_root is not None:
            raise UserError("--foreign-root goes with --foreign")
        return None
    detector = load_detector(options.model, model)
    return detector, unlabelled(model, options.foreign, None, options.skip_bad_images, options.foreign_root)


def _training_images(model: "AutoregressiveImageModel", options: Evaluate) -> "ImageSet | None":
    """The images that the model was trained on; where they cannot be had, a note says why."""
    from ..data import canonical
    from ..examining import training_images
    from ..progress import warn

    if not model.classes or not options.baselines:
        return None
    own = options.data is None or canonical(options.data) == model.record.data.source
    train, why = training_images(model, options.data, options.root if own else None)
    if train is None:
        warn(f"no simple classifiers beside the model ({why})")
    return train


def present(evaluation: "Evaluation", calibrated: bool) -> None:
    """Print the figures, and what a reader of them should know."""
    from ..progress import say, warn
    from .evaluation_tables import classes_table, confusion_table, figures_table, rivals_table, seen_table
    from .presenting import show

    metrics = evaluation.metrics
    say(_headline(evaluation, calibrated))
    if metrics.calibrated is not None:
        show(figures_table(metrics, calibrated))
        show(classes_table(metrics.per_class))
        matrix = confusion_table(metrics.confusion or [], metrics.classes)
        if matrix is not None:
            show(matrix)
    elif metrics.classes and evaluation.answers is None:
        warn(
            "the label enters this model nowhere (strategy 'none'): it gives likelihoods, but cannot classify"
        )
    if evaluation.rivals:
        show(rivals_table(evaluation.rivals, metrics))
    if evaluation.seen is not None:
        show(seen_table(evaluation.seen))
    for note in evaluation.notes():
        warn(note)


def _headline(evaluation: "Evaluation", calibrated: bool) -> str:
    """How many images, bits/dim, and the accuracy with its interval, in a line."""
    metrics = evaluation.metrics
    bits = metrics.marginal_bits_per_dim if metrics.bits_per_dim is None else metrics.bits_per_dim
    of = " of p(x), since no class is known" if metrics.bits_per_dim is None and metrics.classes else ""
    # The figures of p(x | class) are of the images whose class is known.
    rest = metrics.images - metrics.labelled if metrics.classes and metrics.bits_per_dim is not None else 0
    besides = f" (and {rest} of unknown class, which are not scored)" if rest else ""
    text = f"{metrics.images - rest} images{besides}: {bits:.4f} bits/dim{of}"
    if metrics.calibrated is not None:
        low, high = metrics.intervals["accuracy"]
        kind = "calibrated" if calibrated else "not calibrated"
        text += f", accuracy {metrics.calibrated.accuracy:.2%} ({kind}; 95 %: {low:.1%} to {high:.1%})"
    return text
