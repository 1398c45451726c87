"""`pixelbayes generate`: images of each class, as PNG files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

from ..errors import UserError
from .arguments import Device, Flag, Imports, Model, optional, read

if TYPE_CHECKING:
    import torch

    from ..distributed import Shard
    from ..model import AutoregressiveImageModel
    from ..products import Products

PRODUCTS = "images"  # the list of what this command wrote: .pixelbayes-images
SHEET = "samples.png"


@dataclass
class Generate:
    """Draw images of each class, pixel by pixel, from the model's own distribution.

    Writes OUT/CLASS/0001.png ... for each class (OUT/images/ for a model without classes) and OUT/samples.png, a
    row for each class. The same seed gives the same images for the same model, number of images and machine.

    examples:
      pixelbayes generate runs/demo --per-class 25 --out drawn
      pixelbayes generate runs/photos-001 --classes panda,koala --temperature 0.9 --seed 7
    """

    model: Model
    per_class: int = 25
    """Images of each class (in all, for a model without classes)."""
    out: Annotated[Path | None, optional("FOLDER")] = None
    """The folder to write; runs/MODEL-images-001, counted up, when not given."""
    classes: Annotated[str | None, optional("A,B")] = None
    """Only these classes: names or indices with commas between them."""
    temperature: float = 1.0
    """Below 1: more typical images, above: more varied ones; 0: greedy, the same for every seed."""
    seed: int = 0
    """Where the noise comes from."""
    batch: int = 64
    """Images drawn at once."""
    device: Device = "auto"
    overwrite: Flag = False
    """Replace what an earlier `generate` wrote there; no other file is touched."""
    imports: Imports = ()


def run(arguments: Sequence[str]) -> None:
    options = read(Generate, arguments, "generate")
    from .. import checkpoint
    from ..distributed import my_shard
    from ..extensions import import_extensions
    from ..folders import claimed
    from ..products import Products
    from ..progress import say
    from .presenting import check_positive, check_seed, default_out

    check_positive(options.per_class, "--per-class")
    if options.temperature:
        check_positive(options.temperature, "--temperature")
    check_positive(options.batch, "--batch")
    check_seed(options.seed)
    import_extensions(options.imports)
    shard = my_shard(options.device)
    model = checkpoint.load(options.model, device=shard.device)
    classes = list(range(len(model.classes)))
    if options.classes is not None and not classes:
        raise UserError("the model has no classes: leave out --classes")
    if options.classes is not None:
        classes = list(dict.fromkeys(model.classes.parse(options.classes)))
        if not classes:
            raise UserError("--classes names no class")
    if not shard.first:
        draw(model, classes, options, shard)
        return
    with claimed(
        options.out or default_out(f"{Path(options.model).resolve().name}-images"), options.overwrite
    ) as out:
        names = files(model, classes, options.per_class)
        products = Products(out, PRODUCTS)
        products.refuse_foreign((*names, SHEET))
        write(draw(model, classes, options, shard), model, classes, names, products)
    say(f"{len(names)} images are in {out}, all of them at a glance in {out / SHEET}")
    if len(model.classes):
        say(
            f"Does the model recognise them?  pixelbayes classify {quote(options.model)} {quote(as_folder(out))}"
        )


def as_folder(out: Path) -> str:
    """The folder as a DATA word: `./digits` is not the set digits."""
    from ..data.sources import STANDARD_SETS

    return f"./{out}" if str(out) in STANDARD_SETS else str(out)


def draw(
    model: "AutoregressiveImageModel", classes: list[int], options: Generate, shard: "Shard"
) -> "torch.Tensor":
    """Levels `(n, C, H, W)`: `options.per_class` images of each class in `classes`, in this order."""
    from ..tasks.generate import generate

    each = options.per_class
    return generate(
        model,
        labels=[model.classes[label] for label in classes for _ in range(each)] if classes else None,
        count=None if classes else each,
        seed=options.seed,
        temperature=options.temperature,
        batch=options.batch,
        progress=shard.first,
        shard=shard,
    )


def files(model: "AutoregressiveImageModel", classes: list[int], each: int) -> list[str]:
    """The names of the images to write, in their order: CLASS/0001.png, ..."""
    folders = [model.classes.folders[label] for label in classes] or ["images"]
    return [f"{folder}/{number + 1:04d}.png" for folder in folders for number in range(each)]


def write(
    levels: "torch.Tensor",
    model: "AutoregressiveImageModel",
    classes: list[int],
    names: list[str],
    products: "Products",
) -> None:
    """A folder of PNG files for each class, and the sheet."""
    from ..data import save_image
    from ..pictures import sheet

    for name, image in zip(names, levels, strict=True):
        with products.new(name) as temporary:
            save_image(image, temporary, model.shape)
    rows = [model.classes[label] for label in classes]
    with products.new(SHEET) as temporary:
        sheet(levels, model.shape, temporary, rows=rows or None)
    products.finish()  # earlier images go at the end, when the new ones are there
