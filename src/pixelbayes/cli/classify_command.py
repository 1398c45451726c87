"""`pixelbayes classify`: the class that makes each image most probable."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

from ..errors import UserError
from .arguments import Device, Flag, Imports, Model, Pairs, Root, SkipBadImages, optional, read

if TYPE_CHECKING:
    from ..data import ImageSet
    from ..likelihood import Question
    from ..model import AutoregressiveImageModel
    from ..tasks.answer_files import Outputs
    from ..tasks.detect import Judge
    from ..tasks.tally import Tally


@dataclass
class Classify:
    """Classify images by Bayes' rule on their likelihoods under each class.

    Prints accuracy, macro F1 and the confusion matrix where the true classes are known. The CSV has a row for
    each image, in input order: path,true,predicted,name,probability,runner_up,log_likelihood_nats. The logits are
    the images x classes log p(x|c) in nats (float64), without prior and calibration. Rows are written as they come;
    --resume goes on where a broken run stopped. Any number of images is read in bounded memory.

    examples:
      pixelbayes classify runs/demo digits --split test
      pixelbayes classify runs/photos-001 new-photos/ --csv predictions.csv --logits logits.npy
      pixelbayes classify runs/photos-001 new-photos/ --csv predictions.csv --posterior --prior cat=10,dog=1
      pixelbayes classify runs/photos-001 one.jpg --region 0:16,: --region upto:20,0
      pixelbayes classify runs/course test.csv --csv hand-in.csv --columns id,label --paths name
    """

    model: Model
    data: Annotated[str, Positional, arg(metavar="DATA")]
    """A folder of images (with or without a sub-folder for each class), a CSV split, one image, or digits."""
    split: Annotated[str | None, optional("SPLIT")] = None
    """Which split of the data, such as validation; all of its images when not given."""
    root: Root = None
    label_column: Annotated[str | None, optional("NAME")] = None
    """The column of a table that holds the true classes."""
    path_column: Annotated[str | None, optional("NAME")] = None
    """The column of a table that names the images."""
    csv: Annotated[Path | None, optional("FILE")] = None
    """Write the predictions to this CSV file."""
    logits: Annotated[Path | None, optional("FILE")] = None
    """Write log p(x|c) to this .npy file, in input order."""
    resume: Flag = False
    """Go on with a broken run of the same command."""
    overwrite: Flag = False
    """Replace the CSV or the logits if they exist, once the new ones are whole."""
    prior: Annotated[str | None, optional("PRIOR")] = None
    """uniform, training (the classes' counts there), or NAME=WEIGHT,NAME=WEIGHT (*=WEIGHT for the rest)."""
    region: Annotated[UseAppendAction[tuple[str, ...]], optional("REGION")] = ()
    """A part of the image that counts alone: ROWS,COLUMNS as Python slices (0:16,8:24), or upto:ROW,COLUMN for all
    pixels before; may be repeated."""
    combine: Literal["sum", "mean"] = "sum"
    """How the log-likelihoods of several regions are combined."""
    posterior: Flag = False
    """A column more for each class: its calibrated probability."""
    label: Literal["index", "name"] = "index"
    """Whether the CSV says classes by index or by name."""
    paths: Literal["given", "name"] = "given"
    """Whether the CSV names images as they were given, or by the file's name alone."""
    columns: Annotated[str | None, optional("ID,LABEL")] = None
    """Two columns alone, the image and its class, under these names."""
    no_header: Flag = False
    """Leave out the line that names the columns."""
    last_row: Annotated[str | None, optional("CELL,CELL")] = None
    """One more row after those of the images, such as fid,21.3."""
    safe_csv: Flag = False
    """Put an apostrophe before texts that a spreadsheet would run as formulas."""
    reject: Flag = False
    """Answer 'none of these' (-1) for what the model's detector calls foreign (pixelbayes detect MODEL --fit)."""
    ignore_detector: Flag = False
    """Leave the probabilities of foreign images as they are, though the model has a detector; quicker."""
    precision: Literal["float32", "bf16"] = "float32"
    """bf16 is quicker where the processor has it; how often answers differ is said."""
    views: Literal["none", "mirror", "turns", "all"] = "none"
    """The mean of the densities over mirrored or turned images, each at the cost of a pass."""
    batch: Pairs = None
    device: Device = "auto"
    skip_bad_images: SkipBadImages = False
    imports: Imports = ()


def run(arguments: Sequence[str]) -> None:
    options = read(Classify, arguments, "classify")
    from .. import checkpoint
    from ..asking import question_of
    from ..data import open_images
    from ..distributed import my_shard
    from ..extensions import import_extensions
    from ..progress import warn
    from ..tasks.classify import require_classes
    from ..tasks.classify_stream import classify_to_files
    from ..tasks.priors import prior_weights

    outputs = _outputs(options)
    import_extensions(options.imports)
    shard = my_shard(options.device)
    model = checkpoint.load(options.model, device=shard.device)
    require_classes(model)
    outputs = replace(outputs, judge=_judge(options, model, shard.first))
    question = question_of(
        model, options.region or None, options.combine, options.batch, options.precision, options.views
    )
    prior = None if options.prior is None else prior_weights(options.prior, model)
    images = open_images(
        options.data,
        model.shape,
        model.record.data,
        model.classes,
        split=options.split,
        skip_bad_images=options.skip_bad_images,
        root=options.root,
        label_column=options.label_column,
        path_column=options.path_column,
        lazy=True,
    )
    for notice in images.notices if shard.first else ():
        warn(notice)
    if shard.first:
        _about(model, images, question, outputs)
    if outputs.resume and _finished(outputs, images):
        return
    tally = classify_to_files(
        model, images.levels, images.paths, images.labels, question, outputs, prior, shard
    )
    if shard.first:
        _present(tally, model, outputs)


def _judge(options: Classify, model: "AutoregressiveImageModel", speaks: bool) -> "Judge | None":
    """Who doubts foreign images: the detector in the model's folder, where there is one and it is to be asked."""
    from ..progress import warn
    from ..tasks.detect import FILE, Judge, load_detector

    if options.reject and options.ignore_detector:
        raise UserError("--reject asks the detector that --ignore-detector leaves out: choose one")
    parts = bool(options.region) or options.views != "none"
    if options.reject and parts:
        raise UserError("--reject judges whole images, upright: leave out --region and --views")
    there = (Path(options.model) / FILE).is_file()
    if not options.reject and (not there or parts or options.ignore_detector):
        return None
    try:
        return Judge(load_detector(options.model, model), options.reject, options.batch)
    except UserError as error:
        if options.reject:
            raise
        if speaks:
            warn(f"probabilities say nothing of foreign images: {error}")
        return None


def _outputs(options: Classify) -> "Outputs":
    """The files to write and their form. Raises UserError for options that do not go together, and for places that
    cannot be written."""
    from ..tasks.answer_files import Outputs, begun
    from ..tasks.answer_table import AnswerTable, read_cells
    from .presenting import check_positive, refuse_existing

    check_positive(options.batch, "--batch")
    of_csv = {"columns": None, "last_row": None, "no_header": False, "posterior": False, "safe_csv": False,
              "label": "index", "paths": "given"}  # fmt: skip
    for name, plain in of_csv.items():
        if options.csv is None and getattr(options, name) != plain:
            raise UserError(f"--{name.replace('_', '-')} is about the CSV: name it with --csv")
    if options.resume and not (options.csv or options.logits):
        raise UserError("--resume goes on with a file: name it with --csv or --logits")
    if options.csv and options.logits and options.csv.resolve() == options.logits.resolve():
        raise UserError(f"--csv and --logits name the same file, {options.csv}")
    columns = None if options.columns is None else read_cells(options.columns, "--columns", 2)
    table = AnswerTable(
        columns=None if columns is None else (columns[0], columns[1]),
        header=not options.no_header,
        last_row=() if options.last_row is None else read_cells(options.last_row, "--last-row"),
        paths=options.paths,
        label=options.label,
        posterior=options.posterior,
        safe=options.safe_csv,
    )
    outputs = Outputs(options.csv, options.logits, table, options.resume)
    if options.csv and options.csv.exists() and begun(outputs) and not (options.resume or options.overwrite):
        raise UserError(f"{options.csv} is unfinished: --resume goes on with it, --overwrite begins anew")
    for path in (options.csv, options.logits):
        refuse_existing(path, options.overwrite or options.resume)
    return outputs


def _about(
    model: "AutoregressiveImageModel", images: "ImageSet", question: "Question", outputs: "Outputs"
) -> None:
    """What the user should know about the rows and the numbers before the work."""
    from ..progress import say, warn
    from ..tasks.classify_stream import differing

    names = {Path(path).name for path in images.paths} if outputs.table.paths == "name" else images.paths
    if len(names) < len(images):
        warn(
            f"{len(images) - len(names):,} images have the file name of another: --paths given tells them apart"
        )
    if question.precision != "float32":
        differ, sample = differing(model, images.levels, question)
        say(f"{question.precision}: {differ} of {sample} answers of a sample differ from those in float32")


def _finished(outputs: "Outputs", images: "ImageSet") -> bool:
    """Whether there is nothing to resume, since the files are whole. Raises UserError for files of something else."""
    from ..progress import say
    from ..tasks.answer_files import begun, rows_in

    if begun(outputs) or outputs.first is None or not outputs.first.exists():
        return False
    rows = rows_in(outputs)
    if rows != len(images):
        raise UserError(
            f"{outputs.first} is no unfinished classification of these {len(images):,} images (it has {rows:,} rows):"
            " leave out --resume and give --overwrite to replace it"
        )
    if outputs.csv and outputs.logits and not outputs.logits.exists():
        raise UserError(
            f"{outputs.csv} is finished, and without {outputs.logits}: --overwrite writes both anew"
        )
    say(
        f"{outputs.first} is finished: there is nothing to resume (by which model it was made is not known any more)"
    )
    return True


def _present(tally: "Tally", model: "AutoregressiveImageModel", outputs: "Outputs") -> None:
    """Say what was found: scores where classes are known, and the answers themselves where there are few."""
    from ..progress import say, warn
    from ..tasks.tally import SHOWN
    from .presenting import confusion_table, score_line, show

    if tally.left_out:
        listed = ", ".join(tally.left_out[:20]) + (", ..." if len(tally.left_out) > 20 else "")
        warn(f"{len(tally.left_out):,} unreadable and left out: {listed}")
    for path, *_, name, chance, _runner, nats in tally.first if tally.answered <= SHOWN else ():
        said = f"{path}: {name} (probability {float(chance):.4f}, log likelihood {float(nats):.1f} nats)"
        say("".join(letter if letter.isprintable() else "?" for letter in said))
    if tally.known:
        show(confusion_table(tally.confusion.tolist(), model.classes.names))
        say(f"{tally.known} images of known class: {score_line(tally)}")
    if outputs.judge is not None and outputs.judge.reject:
        say(f"{tally.none} of {tally.answered} images are none of these classes")
    if tally.unknown.sum():
        counts = zip(model.classes, tally.unknown.tolist(), strict=True)
        pairs = ", ".join(f"{name} {count}" for name, count in counts if count)
        say(f"{int(tally.unknown.sum())} images of unknown class were found to be: {pairs}")
    for file in (outputs.csv, outputs.logits):
        if file:
            say(f"written: {file}")
