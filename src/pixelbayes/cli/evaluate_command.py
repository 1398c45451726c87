"""`pixelbayes evaluate`: likelihood and accuracy on held-out images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from .arguments import Flag, optional, read


@dataclass
class Evaluate:
    """Measure a model on held-out images: bits per dimension, accuracy, balanced accuracy, macro F1.

    Without --data it takes the data that the model was trained on. Writes OUT/metrics.json and, where classes are
    known, OUT/confusion.png.

    examples:
      pixelbayes evaluate runs/demo
      pixelbayes evaluate runs/photos-001 --split test --out results
      pixelbayes evaluate runs/photos-001 --data other-photos/
    """

    model: Annotated[str, Positional, arg(metavar="MODEL")]
    """A model's folder, or its name on the Hugging Face hub."""
    data: Annotated[str | None, optional("DATA")] = None
    """The images; those of the training when not given."""
    split: Annotated[str | None, optional("SPLIT")] = None
    """train, validation or test; when not given: validation where the data have one, else all of the images."""
    root: Annotated[str | None, optional("FOLDER")] = None
    """The folder of a standard set's files (that of the training when not given)."""
    out: Annotated[Path | None, optional("FOLDER")] = None
    """The folder to write; runs/MODEL-evaluation-001, counted up, when not given."""
    batch: Annotated[int | None, optional("N")] = None
    """Pairs of an image and a class that go through the network at once."""
    device: str = "auto"
    """cpu, cuda, cuda:1, ... (auto: a GPU if there is one)."""
    skip_bad_images: Flag = False
    """Leave out files that are no readable images, naming them."""
    overwrite: Flag = False
    """Replace what an earlier `evaluate` wrote there; no other file is touched."""
    imports: Annotated[UseAppendAction[tuple[str, ...]], optional("MODULE", name="import")] = ()
    """A Python module with the model's own network, distribution or label strategy; may be repeated."""


def run(arguments: Sequence[str]) -> None:
    options = read(Evaluate, arguments, "evaluate")
    from .. import checkpoint
    from ..distributed import my_shard
    from ..evaluating import held_out
    from ..extensions import import_extensions
    from ..folders import claimed
    from ..measure import evaluate
    from ..pictures import confusion
    from ..products import Products
    from ..progress import say, warn
    from .presenting import check_positive, confusion_table, default_out, score_line, show

    check_positive(options.batch, "--batch")
    import_extensions(options.imports)
    share = my_shard(options.device)
    model = checkpoint.load(options.model, device=share.device)
    images = held_out(model, options.data, options.split, options.skip_bad_images, options.root)
    for notice in images.notices if share.first else ():
        warn(notice)
    if not share.first:
        evaluate(model, images, batch=options.batch, progress=False, share=share)
        return
    with claimed(
        options.out or default_out(f"{Path(options.model).resolve().name}-evaluation"), options.overwrite
    ) as out:
        products = Products(out, "evaluation")
        products.refuse_foreign(("metrics.json", "confusion.png"))
        found = evaluate(model, images, batch=options.batch, progress=True, share=share)
        with products.new("metrics.json") as temporary:
            found.to_json(temporary)
        if found.confusion is not None:
            with products.new("confusion.png") as temporary:
                confusion(found.confusion, found.classes, temporary)
        products.finish()
    if found.confusion is not None:
        show(confusion_table(found.confusion, found.classes))
    bits = found.marginal_bits_per_dim if found.bits_per_dim is None else found.bits_per_dim
    scored = f", {score_line(found.calibrated)}" if found.calibrated else ""
    of = " of p(x), since no class is known" if found.bits_per_dim is None and found.classes else ""
    # The figures of p(x | class) are of the images whose class is known.
    rest = found.images - found.labelled if found.classes and found.bits_per_dim is not None else 0
    besides = f" (and {rest} of unknown class, which are not scored)" if rest else ""
    say(f"{found.images - rest} images{besides}: {bits:.4f} bits/dim{of}{scored}")
    say(f"written: {out / 'metrics.json'}")
