"""`pixelbayes detect`: images that are foreign to a model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from ..errors import UserError
from .arguments import Device, Flag, Imports, Pairs, Root, SkipBadImages, optional, read

if TYPE_CHECKING:
    from torch import Tensor

    from ..distributed import Shard
    from ..model import AutoregressiveImageModel
    from ..products import Products
    from ..tasks.detect import Detection, Detector, Statistics

TABLE, PICTURE = "scores.csv", "histograms.png"


@dataclass
class Detect:
    """Find images that are foreign to a model, by several scores (higher: more foreign) and a threshold.

    First --fit a detector, once: it takes the model's own training and validation images (or --data), and is stored in
    the model's folder. Then name IMAGES. Writes OUT/scores.csv (path, every score, the percentile among known images
    of the deciding one, and foreign: yes or no) and OUT/histograms.png.

    examples:
      pixelbayes detect runs/photos-001 --fit
      pixelbayes detect runs/photos-001 new/ --out found
      pixelbayes detect runs/photos-001 new/ --score local --false-alarms 0.01
    """

    model: Annotated[str, Positional, arg(metavar="MODEL")]
    """A model's folder."""
    images: Annotated[str | None, Positional, arg(metavar="IMAGES", help_behavior_hint="")] = None
    """A folder of images, one image, or another DATA word; classes do not matter."""
    split: Annotated[str | None, optional("SPLIT")] = None
    """Which split of the images; all of them when not given."""
    root: Root = None
    out: Annotated[Path | None, optional("FOLDER")] = None
    """The folder to write; runs/MODEL-detection-001, counted up, when not given."""
    first: Annotated[int | None, optional("N")] = None
    """Only N of the images, evenly spread."""
    fit: Flag = False
    """Fit a detector (anew) and store it in the model's folder."""
    data: Annotated[str | None, optional("DATA")] = None
    """With --fit: known images, of which half set the threshold; the data of the training when not given."""
    background: Annotated[str | None, optional("MODEL")] = None
    """With --fit: a model of the same images perturbed (train --augment.mutate 0.1), for the score 'ratio'."""
    fit_images: int = 1000
    """With --fit: most images that the density, and most that the threshold, is fitted on."""
    seed: int = 0
    """With --fit: which images are drawn, and where the local model begins."""
    score: Annotated[str | None, optional("NAME")] = None
    """The score that decides: likelihood, typicality, complexity, local, stirring, ratio, dose, together."""
    false_alarms: Annotated[float | None, optional("SHARE")] = None
    """The share of known images that may be called foreign (fitted: 0.05)."""
    batch: Pairs = None
    device: Device = "auto"
    skip_bad_images: SkipBadImages = False
    overwrite: Flag = False
    """Replace what this command wrote into the folder before; other files in it stay."""
    imports: Imports = ()


def run(arguments: Sequence[str]) -> None:
    options = read(Detect, arguments, "detect")
    from .. import checkpoint
    from ..detecting import unlabelled
    from ..distributed import my_shard
    from ..extensions import import_extensions
    from ..folders import claimed
    from ..products import Products
    from ..progress import warn
    from ..tasks.detect import statistics_by_block
    from .presenting import default_out

    check(options)
    import_extensions(options.imports)
    shard = my_shard(options.device)
    model = checkpoint.load(options.model, device=shard.device)
    out = options.out or default_out(f"{Path(options.model).resolve().name}-detection")
    if options.images is not None and shard.first:  # before the work
        Products(out, "detection").refuse_foreign((TABLE, PICTURE))
    detector = the_detector(options, model, shard)
    if options.images is None:
        return
    images = unlabelled(
        model, options.images, options.split, options.skip_bad_images, options.root, lazy=True
    )
    for notice in images.notices if shard.first else ():
        warn(notice)
    rows = spread(len(images), options.first)
    parts = statistics_by_block(
        model, images.levels, detector.instruments, options.batch, shard.first, shard, rows
    )
    if not shard.first:
        for _ in parts:
            pass
        return
    with claimed(out, options.overwrite) as folder:
        products = Products(folder, "detection")
        products.refuse_foreign((TABLE, PICTURE))
        detection, paths = write(detector, parts, images.paths, products)
        products.finish()
    if len(detection) < len(rows):
        warn(f"{len(rows) - len(detection):,} unreadable and left out")
    present(detection, paths, out)


def check(options: Detect) -> None:
    """Refuse what cannot be meant, before anything is read."""
    from ..folders import refuse_occupied, refuse_unwritable
    from .presenting import check_positive, check_seed

    check_positive(options.batch, "--batch")
    check_positive(options.first, "--first")
    check_positive(options.fit_images, "--fit-images")
    check_seed(options.seed)
    if options.images is None and not options.fit:
        raise UserError("name the images to judge, or --fit a detector")
    for option, value in (("--data", options.data), ("--background", options.background)):
        if value is not None and not options.fit:
            raise UserError(f"{option} goes with --fit")
    if options.fit and not Path(options.model).is_dir():
        raise UserError(f"a detector is stored in the model's folder, and there is no folder {options.model}")
    if options.fit:
        refuse_unwritable(Path(options.model))
    if options.images is not None and options.out is not None:
        refuse_occupied(options.out, options.overwrite)


def the_detector(options: Detect, model: "AutoregressiveImageModel", shard: "Shard") -> "Detector":
    """The one in the model's folder, or a new one, which is stored there; with the score and rate asked for."""
    from ..detecting import fit_detector
    from ..progress import say
    from ..tasks.detect import load_detector, save_detector

    if not options.fit:
        return load_detector(options.model, model).with_choice(options.score, options.false_alarms)
    detector = fit_detector(
        model,
        options.data,
        background=options.background,
        score=options.score or "dose",
        false_alarms=0.05 if options.false_alarms is None else options.false_alarms,
        images=options.fit_images,
        seed=options.seed,
        root=options.root if options.data is not None or options.images is None else None,
        skip_bad_images=options.skip_bad_images,
        batch=options.batch,
        progress=shard.first,
        shard=shard,
    )
    if shard.first:
        say(
            f"fitted: false alarms of {detector.false_alarms:g} on {len(detector.known)} held-out images, "
            f"by the score {detector.score}; stored in {save_detector(detector, options.model)}"
        )
    return detector


def spread(count: int, most: int | None) -> "Tensor":
    """The rows of `most` of so many images, evenly spread; of all of them when None."""
    import torch

    chosen = count if most is None else min(most, count)
    return torch.tensor([row * count // chosen for row in range(chosen)], dtype=torch.long)


def write(
    detector: "Detector",
    parts: "Iterable[tuple[Tensor, Statistics]]",
    paths: Sequence[str],
    products: "Products",
) -> "tuple[Detection, list[str]]":
    """The table, a row for each image as it is measured, and the picture; what was found, and of which images."""
    from ..pictures.foreign import histograms
    from ..tasks.answer_table import csv_line
    from ..tasks.detect.detection import header, joined

    blocks: list[Detection] = []
    judged: list[str] = []
    with products.new(TABLE) as path, path.open("w", newline="", encoding="utf-8") as file:
        file.write(csv_line(header(detector.names)))
        for rows, statistics in parts:
            block, names = detector.judge(statistics), [paths[row] for row in rows.tolist()]
            file.writelines(map(csv_line, block.rows(names)))
            file.flush()
            blocks.append(block)
            judged += names
        if not blocks:
            raise UserError("none of the images could be read")
    every = joined(blocks)
    thresholds = dict(zip(every.names, every.thresholds.tolist(), strict=True))
    known = {name: every.known[:, column].numpy() for column, name in enumerate(every.names)}
    with products.new(PICTURE) as path:
        histograms(known, {name: every[name].numpy() for name in every.names}, thresholds, path)
    return every, judged


def present(detection: "Detection", paths: Sequence[str], out: Path) -> None:
    """The verdicts where there are few; else how many images are foreign by each score."""
    from ..progress import say
    from .presenting import plain_table, show

    if len(detection) <= 10:
        percentiles = detection.percentiles[:, detection.names.index(detection.by)].tolist()
        for path, foreign, percentile in zip(paths, detection.foreign.tolist(), percentiles, strict=True):
            word = "foreign" if foreign else "known"
            say(f"{path}: {word} ({detection.by} above that of {percentile:.1f} % of the known images)")
    else:
        table = plain_table(
            f"images above the threshold of each score (false alarms {detection.false_alarms:g})"
        )
        for column in ("score", "foreign", "share"):
            table.add_column(column, justify="left" if column == "score" else "right")
        above = (detection.scores > detection.thresholds).sum(0).tolist()
        for name, count in zip(detection.names, above, strict=True):
            table.add_row(
                f"{name} (decides)" if name == detection.by else name,
                str(count),
                f"{count / len(detection):.1%}",
            )
        show(table)
        say(
            f"{int(detection.foreign.sum())} of {len(detection)} images are foreign by the score {detection.by}"
        )
    say(f"written: {out / TABLE}, {out / PICTURE}")
