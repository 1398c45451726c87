"""`pixelbayes generate`: images of each class, as PNG files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, UseAppendAction, arg

from ..errors import UserError
from .arguments import Flag, optional, read

if TYPE_CHECKING:
    import torch

    from ..model import AutoregressiveImageModel
    from ..tasks.share import Share

MARK = ".pixelbayes-images"  # in a folder that this command filled, and may fill anew
NUMBERED = re.compile(r"\d{4,}\.png")


@dataclass
class Generate:
    """Draw images of each class, pixel by pixel, from the model's own distribution.

    Writes OUT/CLASS/0001.png ... for each class (OUT/images/ for a model without classes) and OUT/samples.png, a
    row for each class. The same seed gives the same images for the same model, number of images and machine.

    examples:
      pixelbayes generate runs/demo --per-class 25 --out drawn
      pixelbayes generate runs/photos-001 --classes panda,koala --temperature 0.9 --seed 7
    """

    model: Annotated[str, Positional, arg(metavar="MODEL")]
    """A model's folder, or its name on the Hugging Face hub."""
    per_class: int = 25
    """Images of each class (in all, for a model without classes)."""
    out: Annotated[Path | None, optional("FOLDER")] = None
    """The folder to write; runs/MODEL-images-001, counted up, when not given."""
    classes: Annotated[str | None, optional("A,B")] = None
    """Only these classes: names or indices with commas between them."""
    temperature: float = 1.0
    """Below 1: more typical images, above: more varied ones."""
    seed: int = 0
    """Where the noise comes from."""
    batch: int = 64
    """Images drawn at once."""
    device: str = "auto"
    """cpu, cuda, cuda:1, ... (auto: a GPU if there is one)."""
    overwrite: Flag = False
    """Replace the folder if it exists."""
    imports: Annotated[UseAppendAction[tuple[str, ...]], optional("MODULE", name="import")] = ()
    """A Python module with the model's own network, distribution or label strategy; may be repeated."""


def run(arguments: Sequence[str]) -> None:
    options = read(Generate, arguments, "generate")
    from .. import checkpoint
    from ..extensions import import_extensions
    from ..folders import claimed
    from ..progress import say
    from ..training.place import my_share
    from .presenting import check_positive, check_seed, default_out

    check_positive(options.per_class, "--per-class")
    check_positive(options.temperature, "--temperature")
    check_positive(options.batch, "--batch")
    check_seed(options.seed)
    import_extensions(options.imports)
    share = my_share(options.device)
    model = checkpoint.load(options.model, device=share.device)
    wanted = list(range(len(model.classes)))
    if options.classes is not None and not wanted:
        raise UserError("the model has no classes: leave out --classes")
    if options.classes is not None:
        wanted = list(dict.fromkeys(model.classes.parse(options.classes)))
        if not wanted:
            raise UserError("--classes names no class")
    if not share.first:
        draw(model, wanted, options, share)
        return
    with claimed(
        options.out or default_out(f"{Path(options.model).resolve().name}-images"), options.overwrite
    ) as out:
        levels = draw(model, wanted, options, share)
        write(levels, model, wanted, options.per_class, out)
    say(f"{len(levels)} images are in {out}, all of them at a glance in {out / 'samples.png'}")
    if len(model.classes):
        say(f"Does the model recognise them?  pixelbayes classify {options.model} {as_folder(out)}")


def as_folder(out: Path) -> str:
    """The folder as a DATA word: `./digits` is not the set digits."""
    from ..data.sources import STANDARD_SETS

    return f"./{out}" if str(out) in STANDARD_SETS else str(out)


def draw(
    model: "AutoregressiveImageModel", wanted: list[int], options: Generate, share: "Share"
) -> "torch.Tensor":
    """Levels `(n, C, H, W)`: `options.per_class` images of each class in `wanted`, in this order."""
    from ..tasks.generate import generate

    each = options.per_class
    return generate(
        model,
        labels=[label for label in wanted for _ in range(each)] if wanted else None,
        count=None if wanted else each,
        seed=options.seed,
        temperature=options.temperature,
        batch=options.batch,
        progress=share.first,
        share=share,
    )


def write(
    levels: "torch.Tensor", model: "AutoregressiveImageModel", wanted: list[int], each: int, out: Path
) -> None:
    """A folder of PNG files for each class, and the sheet."""
    from ..data import save_image
    from ..pictures import sheet

    earlier = {path for path in out.glob("*/*.png") if NUMBERED.fullmatch(path.name)}
    stale = earlier if (out / MARK).exists() else set()  # only what this command drew
    (out / MARK).touch()
    names = model.classes.folders
    for row, name in enumerate([names[label] for label in wanted] or ["images"]):
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        for column, image in enumerate(levels[row * each : (row + 1) * each]):
            save_image(image, folder / f"{column + 1:04d}.png", model.shape)
            stale.discard(folder / f"{column + 1:04d}.png")
    for old in stale:  # at the end, when the new ones are there
        old.unlink()
        if not any(old.parent.iterdir()):
            old.parent.rmdir()
    rows = [model.classes[label] for label in wanted]
    sheet(levels, model.shape, out / "samples.png", rows=rows or None)
