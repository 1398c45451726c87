"""`pixelbayes explain`: which pixels speak for an answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from ..errors import UserError
from .arguments import Device, Flag, Imports, Model, Pairs, Root, SkipBadImages, optional, read

if TYPE_CHECKING:
    from ..data import ImageSet
    from ..tasks.explain import Evidence


@dataclass
class Explain:
    """Show which pixels speak for an answer: log p(pixel | past, class) minus that of the best rival.

    The log odds of two classes are a sum over the pixels. Writes OUT/evidence.csv
    (path,true,class,rival,log_odds_nats,log_odds_bits,probability), a picture of each image (up to 24) and sheets of
    many, in bits. The maps of --maps are [N, H, W] in nats (float64) and sum to the log odds.

    examples:
      pixelbayes explain runs/photos-001 one.jpg --out why
      pixelbayes explain runs/demo digits --split test --against 8 --maps npy
    """

    model: Model
    data: Annotated[tuple[str, ...], Positional, arg(metavar="IMAGE...")]
    """Images, folders of images, a CSV split, or digits."""
    split: Annotated[str | None, optional("SPLIT")] = None
    """Which split of the data, such as validation; all of its images when not given."""
    root: Root = None
    out: Annotated[Path | None, optional("FOLDER")] = None
    """The folder to write; runs/MODEL-evidence-001, counted up, when not given."""
    of: Annotated[str | None, optional("CLASS")] = None
    """The class to show the evidence for; the most probable one when not given."""
    against: Annotated[str | None, optional("CLASS")] = None
    """The rival; the most probable other class when not given."""
    maps: Annotated[Literal["npy", "safetensors"] | None, optional("{npy,safetensors}")] = None
    """Write the maps, too."""
    first: Annotated[int | None, optional("N")] = None
    """Only the first N images."""
    batch: Pairs = None
    device: Device = "auto"
    skip_bad_images: SkipBadImages = False
    overwrite: Flag = False
    """Replace what this command wrote into the folder before; other files in it stay."""
    imports: Imports = ()


def run(arguments: Sequence[str]) -> None:
    options = read(Explain, arguments, "explain")
    from .. import checkpoint
    from ..distributed import pick_device
    from ..explaining import explain
    from ..extensions import import_extensions
    from ..folders import refuse_occupied
    from ..progress import say, warn
    from .presenting import check_positive, default_out

    check_positive(options.batch, "--batch")
    check_positive(options.first, "--first")
    if not options.data:
        raise UserError("name the images to explain: an image, a folder, or digits")
    import_extensions(options.imports)
    out = options.out or default_out(f"{Path(options.model).resolve().name}-evidence")
    refuse_occupied(out, options.overwrite)  # before the model and the images are read
    model = checkpoint.load(options.model, device=pick_device(options.device))
    images = open_all(options, model)
    for notice in images.notices:
        warn(notice)
    evidence = explain(
        model, images, of=options.of, against=options.against, out=out, maps=options.maps,
        overwrite=options.overwrite, batch=options.batch, progress=True,
    )  # fmt: skip
    present(evidence, images)
    say(f"written: {out}")


def open_all(options: Explain, model) -> "ImageSet":  # type: ignore[no-untyped-def]
    """The images of all words, in their order."""
    from dataclasses import replace

    import torch

    from ..data import open_images

    words: Sequence[str | list[str]] = options.data
    if len(words) > 1 and all(Path(word).is_file() for word in options.data):
        words = [list(options.data)]
    sets = [
        open_images(
            word, model.shape, model.record.data, model.classes, split=options.split,
            skip_bad_images=options.skip_bad_images, root=options.root,
        )
        for word in words
    ]  # fmt: skip
    if len(sets) == 1:
        return sets[0][: options.first]
    every = replace(
        sets[0],
        levels=torch.cat([each.levels for each in sets]),
        labels=torch.cat([each.labels for each in sets]),
        paths=[path for each in sets for path in each.paths],
        notices=tuple(dict.fromkeys(notice for each in sets for notice in each.notices)),
    )
    return every[: options.first]


def present(evidence: "Evidence", images: "ImageSet") -> None:
    """The answers where there are few; else how many there are of each pair of classes."""
    from ..progress import say

    if len(evidence) <= 10:
        for path, _, chosen, rival, _, bits, probability in evidence.rows(images.paths, images.labels):
            say(
                f"{path}: {chosen} rather than {rival}, log odds {float(bits):+.1f} bits ({float(probability):.4f})"
            )
        return
    odds = evidence.log_odds / log(2)
    say(
        f"{len(evidence)} images: log odds {float(odds.median()):+.1f} bits in the middle, "
        f"{float(odds.min()):+.1f} least"
    )
