"""`pb.explain`: the evidence for an answer, of images in any form, as maps and pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .asking import names_files, prepared
from .data import ImageSet, open_images
from .errors import UserError, unknown
from .files import write_tensors
from .folders import claimed
from .inputs import as_levels, require_model
from .labels import UNKNOWN
from .model import AutoregressiveImageModel
from .products import Products
from .tasks.explain import Evidence
from .tasks.explain import explain as evidence_of

TABLE = "evidence.csv"
MAP_FILES = {"npy": "evidence.npy", "safetensors": "evidence.safetensors"}
EACH_ALONE = 24
"""So many images have a picture each; of more there are sheets alone."""


def explain(
    model: AutoregressiveImageModel,
    images: Any,
    *,
    of: str | int | None = None,
    against: str | int | None = None,
    out: str | Path | None = None,
    maps: str | None = None,
    overwrite: bool = False,
    batch: int | None = None,
    progress: bool = False,
) -> Evidence:
    """What each pixel says for the most probable class (or `of`) and against its best rival (or `against`).

    images: an array or tensor, prepared as in the training; an `ImageSet`; or a word or path as on the command line.
    With `out`, the folder is written as by `pixelbayes explain`: evidence.csv, pictures, and with `maps` ("npy" or
    "safetensors") the maps. Returns the maps in nats, float64, which sum to the log odds. Raises UserError for what
    does not fit.

    Args:
        model: the model, of `pb.load`, `pb.train`, `pb.create` or `pb.adapt`.
        images: see above.
        of: the class that is spoken for, by name or number.
        against: its rival.
        out: a folder for the table and the pictures.
        maps: "npy" or "safetensors": write the maps, too.
        overwrite: replace what an earlier call wrote in `out`; no other file is touched.
        batch: pairs of an image and a class that go through the network at once; None: so many that memory stays small.
        progress: show how far it is.

    >>> import numpy as np
    >>> from pixelbayes import create
    >>> evidence = explain(create("digits", filters=4), np.zeros((1, 1, 8, 8), np.uint8), against="3")
    >>> bool((evidence.maps.sum((1, 2)) == evidence.log_odds).all())
    True
    """
    require_model(model)
    if maps not in (None, *MAP_FILES):
        raise unknown("form of the maps", maps, MAP_FILES)
    chosen = as_image_set(model, images)
    if not len(chosen):
        raise UserError("there are no images to explain")
    if out is None:
        return evidence_of(model, chosen.levels, of, against, batch, progress)
    with claimed(out, overwrite) as folder:
        products = Products(folder, "evidence")
        products.refuse_foreign(output_names(chosen.paths, maps))  # before the work
        evidence = evidence_of(model, chosen.levels, of, against, batch, progress)
        write(evidence, chosen, products, maps)
        products.finish()
    return evidence


def as_image_set(model: AutoregressiveImageModel, images: Any) -> ImageSet:
    """Images in any form as a set; the classes of files are taken where they are the model's."""
    if isinstance(images, ImageSet):
        return images
    if names_files(images):
        return open_images(images, model.shape, model.record.data, model.classes)
    levels = as_levels(prepared(model, images)[0])
    model.check(levels)
    labels = torch.full((len(levels),), UNKNOWN)
    return ImageSet(levels, labels, [f"[{row}]" for row in range(len(levels))], model.classes, model.shape)


def output_names(paths: Sequence[str], maps: str | None = None) -> list[str]:
    """The files that are written for images of these names: the table, the maps, a picture each or sheets."""
    from .pictures.evidence import PER_SHEET

    sheets = -(-len(paths) // PER_SHEET) if len(paths) > 1 else 0
    return [
        TABLE,
        *([MAP_FILES[maps]] if maps else []),
        *(picture_names(paths) if len(paths) <= EACH_ALONE else []),
        *(f"sheet-{number:03d}.png" for number in range(1, sheets + 1)),
    ]


def picture_names(paths: Sequence[str]) -> list[str]:
    """`evidence-NAME.png` for each image, told apart by a number where images of several folders have one name.

    >>> picture_names(["a/one.jpg", "b/one.png", "[2]"])
    ['evidence-one.png', 'evidence-one-2.png', 'evidence-2.png']
    """
    names: list[str] = []
    for path in paths:
        stem = "".join(letter if letter.isalnum() or letter in "-_." else "" for letter in Path(path).stem)
        base = name = f"evidence-{stem or 'image'}"
        number = 2
        while f"{name}.png".lower() in map(str.lower, names):
            name, number = f"{base}-{number}", number + 1
        names.append(f"{name}.png")
    return names


def write(evidence: Evidence, images: ImageSet, products: Products, maps: str | None = None) -> None:
    """The table, the maps and the pictures of some evidence, under `output_names`."""
    from .pictures.evidence import PER_SHEET, evidence_picture, evidence_sheet, panels_of

    with products.new(TABLE) as path:
        evidence.write_csv(path, images.paths, images.labels)
    if maps == "npy":
        with products.new(MAP_FILES[maps]) as path, path.open("wb") as file:
            np.save(file, evidence.maps.numpy())
    elif maps == "safetensors":
        tensors = {"maps": evidence.maps, "class": evidence.chosen, "rival": evidence.rivals}
        with products.new(MAP_FILES[maps]) as path:
            write_tensors(path, {name: each.contiguous() for name, each in tensors.items()})
    panels = panels_of(evidence, images)
    if len(panels) <= EACH_ALONE:
        for panel, name in zip(panels, picture_names(images.paths), strict=True):
            with products.new(name) as path:
                evidence_picture(panel, path)
    for number, start in enumerate(range(0, len(panels) if len(panels) > 1 else 0, PER_SHEET), 1):
        title = f"images {start + 1} to {min(start + PER_SHEET, len(panels))} of {len(panels)}"
        with products.new(f"sheet-{number:03d}.png") as path:
            evidence_sheet(panels[start : start + PER_SHEET], path, title)
