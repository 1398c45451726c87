"""`pixelbayes classify`: the class that makes each image most probable."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from ..errors import UserError
from .arguments import Flag, optional, read


@dataclass
class Classify:
    """Classify images by Bayes' rule on their likelihoods under each class.

    Prints accuracy, macro F1 and the confusion matrix where the true classes are known. The CSV has a row for
    each image, in input order: path,true,predicted,name,probability,runner_up,log_likelihood_nats. The logits are
    the images x classes log p(x|c) in nats (float64), without prior and calibration.

    examples:
      pixelbayes classify runs/demo digits --split test
      pixelbayes classify runs/photos-001 new-photos/ --csv predictions.csv --logits logits.npy
      pixelbayes classify runs/photos-001 one.jpg
    """

    model: Annotated[str, Positional, arg(metavar="MODEL")]
    """A model's folder, or its name on the Hugging Face hub."""
    data: Annotated[str, Positional, arg(metavar="DATA")]
    """A folder of images (with or without a sub-folder for each class), a CSV split, one image, or digits."""
    split: Annotated[str | None, optional("SPLIT")] = None
    """Which split of the data, such as validation; all of its images when not given."""
    root: Annotated[str | None, optional("FOLDER")] = None
    """The folder of a standard set's files (that of the training when not given)."""
    label_column: Annotated[str | None, optional("COLUMN")] = None
    """A table's column of classes (name or number; 'none': there is none)."""
    path_column: Annotated[str | None, optional("COLUMN")] = None
    """A table's column of the images' paths."""
    csv: Annotated[Path | None, optional("FILE")] = None
    """Write the predictions to this CSV file."""
    logits: Annotated[Path | None, optional("FILE")] = None
    """Write log p(x|c) to this .npy file."""
    batch: Annotated[int | None, optional("N")] = None
    """Pairs of an image and a class that go through the network at once."""
    device: str = "auto"
    """cpu, cuda, cuda:1, ... (auto: a GPU if there is one)."""
    skip_bad_images: Flag = False
    """Leave out files that are no readable images, naming them."""
    overwrite: Flag = False
    """Replace the CSV or the logits if they exist."""
    imports: Annotated[UseAppendAction[tuple[str, ...]], optional("MODULE", name="import")] = ()
    """A Python module with the model's own network, distribution or label strategy; may be repeated."""


def run(arguments: Sequence[str]) -> None:
    options = read(Classify, arguments, "classify")
    from .. import checkpoint
    from ..data import open_images
    from ..distributed import my_shard
    from ..extensions import import_extensions
    from ..progress import warn
    from ..tasks.classify import classify
    from .presenting import check_positive, refuse_existing

    check_positive(options.batch, "--batch")
    for path in (options.csv, options.logits):
        refuse_existing(path, options.overwrite)
    if options.csv and options.logits and options.csv.resolve() == options.logits.resolve():
        raise UserError(f"--csv and --logits name the same file, {options.csv}")
    import_extensions(options.imports)
    share = my_shard(options.device)
    model = checkpoint.load(options.model, device=share.device)
    images = open_images(
        options.data,
        model.shape,
        model.description.get("data") or {},
        model.classes,
        split=options.split,
        skip_bad_images=options.skip_bad_images,
        root=options.root,
        label_column=options.label_column,
        path_column=options.path_column,
    )
    for notice in images.notices if share.first else ():
        warn(notice)
    result = classify(model, images.levels, batch=options.batch, progress=share.first, share=share)
    if not share.first:
        return
    if options.csv:
        result.write_csv(options.csv, images.paths, images.labels)
    if options.logits:
        result.write_logits(options.logits)
    present(result, images, options)


def present(result, images, options: Classify) -> None:  # type: ignore[no-untyped-def]
    """Say what was found: scores where classes are known, and the answers themselves where there are few."""
    from ..measure import confusion_matrix, scores
    from ..progress import say
    from .presenting import confusion_table, score_line, show

    known = int((images.labels >= 0).sum())
    if len(images) <= 10:
        for path, *_, name, probability, _runner, nats in result.rows(images.paths, images.labels):
            say(
                f"{path}: {name} (probability {float(probability):.4f}, log likelihood {float(nats):.1f} nats)"
            )
    found = scores(result.posterior, images.labels) if known else None
    if found is not None:
        show(confusion_table(confusion_matrix(result.posterior, images.labels), result.classes.names))
        say(f"{known} images of known class: {score_line(found)}")
    if known < len(images):
        counts = result.predicted[images.labels < 0].bincount(minlength=len(result.classes)).tolist()
        pairs = ", ".join(
            f"{name} {count}" for name, count in zip(result.classes, counts, strict=True) if count
        )
        say(f"{len(images) - known} images of unknown class were found to be: {pairs}")
    for path in (options.csv, options.logits):
        if path:
            say(f"written: {path}")
