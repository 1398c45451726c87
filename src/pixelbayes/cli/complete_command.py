"""`pixelbayes complete`: what is missing of images, drawn by the model."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from ..errors import UserError
from .arguments import Device, Flag, Imports, Model, Root, optional, read

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..data import ImageSet
    from ..model import AutoregressiveImageModel
    from ..products import Products

PRODUCTS = "completions"
TABLE, SHEET = "completions.csv", "completions.png"


@dataclass
class Complete:
    """Keep a part of each image, and draw the rest from the model, pixel by pixel.

    --keep takes rows and columns of the image as the model sees it, as Python's slices (0:16,: is the upper half of
    32x32; :,:8 a strip on the left), or upto:ROW,COLUMN, all that lies before that pixel in reading order. A pixel
    is drawn given those before it: what is kept below it or to its right does not change it. Writes OUT/0001-1.png
    ... (image, completion), OUT/completions.csv, and OUT/completions.png: original, what was kept, completions.

    examples:
      pixelbayes complete runs/photos-001 one.jpg other.jpg --keep 0:16,: --per-image 6
      pixelbayes complete runs/demo drawn/ --keep upto:4,0 --class 3
    """

    model: Model
    images: Annotated[tuple[str, ...], Positional, arg(metavar="IMAGE...", help_behavior_hint="(required)")]
    """Images, or one DATA word: a folder of them, a CSV split, digits."""
    keep: Annotated[str, arg(metavar="REGION")]
    """What is kept: ROWS,COLUMNS or upto:ROW,COLUMN."""
    out: Annotated[Path | None, optional("FOLDER")] = None
    """The folder to write; runs/MODEL-completions-001, counted up, when not given."""
    of_class: Annotated[str | None, optional("NAME", name="class")] = None
    """The class of all images, a name or an index; when not given, that under which what is kept is most probable."""
    per_image: int = 4
    """Completions of each image."""
    most: int = 20
    """Of more images than this, only the first are completed."""
    split: Annotated[str | None, optional("SPLIT")] = None
    """Which split of the data, such as test; all of its images when not given."""
    root: Root = None
    temperature: float = 1.0
    """Below 1: more typical completions, above: more varied ones; 0: at each pixel the most probable."""
    seed: int = 0
    """Where the noise comes from."""
    batch: int = 64
    """Images drawn at once."""
    device: Device = "auto"
    overwrite: Flag = False
    """Replace the folder if it exists."""
    imports: Imports = ()


def run(arguments: Sequence[str]) -> None:
    options = read(Complete, arguments, "complete")
    from .. import checkpoint
    from ..distributed import my_shard
    from ..extensions import import_extensions
    from ..folders import claimed
    from ..products import Products
    from ..progress import say
    from ..tasks.complete import complete
    from .presenting import check_positive, check_seed, default_out

    for value, option in (
        (options.per_image, "--per-image"),
        (options.most, "--most"),
        (options.batch, "--batch"),
    ):
        check_positive(value, option)
    check_seed(options.seed)
    import_extensions(options.imports)
    shard = my_shard(options.device)
    model = checkpoint.load(options.model, device=shard.device)
    images = the_images(model, options)
    label, how = the_classes(model, images, options)
    default = default_out(f"{Path(options.model).resolve().name}-completions")

    def drawn() -> "Tensor":
        return complete(
            model, images.levels, options.keep, label, options.seed, options.per_image,
            options.temperature, options.batch, progress=shard.first, shard=shard,
        )  # fmt: skip

    if not shard.first:
        drawn()
        return
    with claimed(options.out or default, options.overwrite) as out:
        products = Products(out, PRODUCTS)
        products.refuse_foreign((*files(len(images), options.per_image), TABLE, SHEET))
        write(drawn(), model, images, label, options, products)
    count = len(images) * options.per_image
    say(f"{count} completions of {len(images)} images{how} are in {out}, at a glance in {out / SHEET}")


def the_images(model: "AutoregressiveImageModel", options: Complete) -> "ImageSet":
    """The images to complete, prepared for the model."""
    from ..data import open_images
    from ..progress import warn

    if not options.images:
        raise UserError("name the images to complete")
    word = options.images[0] if len(options.images) == 1 else list(options.images)
    images = open_images(
        word, model.shape, model.record.data, model.classes,
        split=options.split, root=options.root,
    )  # fmt: skip
    for notice in images.notices:
        warn(notice)
    if len(images) > options.most:
        warn(f"the first {options.most} of {len(images):,} images are completed (--most)")
    if not len(images):
        raise UserError("there are no images to complete")
    return images[: options.most]


def the_classes(
    model: "AutoregressiveImageModel", images: "ImageSet", options: Complete
) -> "tuple[torch.Tensor | None, str]":
    """The class of each image, and how it was found, in words."""
    import torch

    from ..tasks.complete import known_class

    if not model.classes:
        if options.of_class is not None:
            raise UserError("the model has no classes: leave out --class")
        return None, ""
    if options.of_class is not None:
        index = model.classes.index(options.of_class)
        return torch.full((len(images),), index), f", as {model.classes[index]},"
    label = known_class(model, images.levels, options.keep, options.seed).cpu()
    return label, ", each as the class that makes what is kept most probable,"


def files(count: int, per_image: int) -> list[str]:
    """The names of the completions, in their order: 0001-1.png (image, completion), ..."""
    return [f"{which + 1:04d}-{number + 1}.png" for which in range(count) for number in range(per_image)]


def write(
    drawn: "Tensor",
    model: "AutoregressiveImageModel",
    images: "ImageSet",
    label: "torch.Tensor | None",
    options: Complete,
    products: "Products",
) -> None:
    """The completions as PNG files, a table of them, and the sheet."""
    from ..data import save_image
    from ..pictures import sheet

    names = [""] * len(images) if label is None else [model.classes[index] for index in label.tolist()]
    rows = []
    for index, (file, image) in enumerate(zip(files(len(images), options.per_image), drawn, strict=True)):
        with products.new(file) as temporary:
            save_image(image, temporary, model.shape)
        rows.append((file, images.paths[index // options.per_image], names[index // options.per_image]))
    with products.new(SHEET) as temporary:
        sheet(
            beside(drawn, images.levels, options), model.shape, temporary,
            rows=names, title="original · what was kept · completions",
        )  # fmt: skip
    with products.new(TABLE) as temporary, temporary.open("w", newline="", encoding="utf-8") as table:
        csv.writer(table, lineterminator="\n").writerows([("file", "image", "class"), *rows])
    products.finish()  # earlier completions go at the end, when the new ones are there


def beside(drawn: "Tensor", levels: "Tensor", options: Complete) -> "Tensor":
    """Each image, what was kept of it (chequered elsewhere), and its completions, side by side."""
    import torch

    from ..regions import Region

    height, width = levels.shape[2:]
    mask = Region.parse(options.keep).mask(height, width)
    top = max(1, int(levels.max()))
    chequered = (torch.arange(height)[:, None] + torch.arange(width)) % 2
    empty = (top * (0.35 + 0.2 * chequered)).to(levels.dtype)
    parts = levels.unsqueeze(1), torch.where(mask, levels, empty).unsqueeze(1)
    completions = drawn.view(len(levels), options.per_image, *drawn.shape[1:]).to(levels.dtype)
    return torch.cat([*parts, completions], 1).flatten(0, 1)
