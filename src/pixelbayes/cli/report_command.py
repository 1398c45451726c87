"""`pixelbayes report`: one page on a run, a model or a study, to hand over."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from .arguments import Device, Flag, optional, read


@dataclass
class Report:
    """Write one HTML page on a run, a model or a study: it opens without a network, on a phone, and in print.

    What it is, its figures, samples, curves, confusion, reliability, the mistakes that it was most sure of, evidence
    maps, its data, its recipe, and the commands to repeat it. The model is measured on held-out images of its data
    (test, else validation). Samples beside real images, a CNN and simple classifiers beside the model are shown where
    `pixelbayes evaluate` measured them. What is missing is left out, and the page says so: unfinished runs have a
    report, too. Of a study's folder: its table, its plots, and how to repeat it.

    examples:
      pixelbayes report runs/demo
      pixelbayes report runs/photos-001 --out photos.html --images 5000
      pixelbayes report runs/photos-001 --data other-photos/
      pixelbayes report runs/study-report1-small
    """

    run: Annotated[str, Positional, arg(metavar="RUN|MODEL|STUDY")]
    """The folder of a run, a model or a study, or a model's name on the Hugging Face hub."""
    out: Annotated[Path | None, optional("FILE.html")] = None
    """The page; NAME-report.html beside the folder, when not given."""
    images: int = 1000
    """Measure the model on so many held-out images at most; 0: measure nothing."""
    data: Annotated[str | None, optional("DATA")] = None
    """The images to measure on; those of the training when not given."""
    split: Annotated[str | None, optional("SPLIT")] = None
    """train, validation or test; when not given: test where the data have one, else validation."""
    evaluation: Annotated[UseAppendAction[tuple[str, ...]], optional("FOLDER")] = ()
    """What `evaluate` wrote, to be shown, too; may be repeated (those of this model beside its folder, if none)."""
    seed: int = 0
    """Of the samples, where the run has drawn none."""
    device: Device = "auto"
    overwrite: Flag = False
    """Replace the page if it exists."""
    imports: Annotated[UseAppendAction[tuple[str, ...]], optional("MODULE", name="import")] = ()
    """A Python module with the model's own parts, or with a section of the report; may be repeated."""


def run(arguments: Sequence[str]) -> None:
    options = read(Report, arguments, "report")
    from ..distributed import pick_device
    from ..errors import UserError
    from ..extensions import import_extensions
    from ..progress import say
    from ..reporting import report
    from .presenting import check_seed

    if options.images < 0:
        raise UserError(f"--images must be 0 or more, not {options.images}")
    check_seed(options.seed)
    import_extensions(options.imports)
    path = report(
        options.run,
        options.out,
        images=options.images,
        data=options.data,
        split=options.split,
        evaluations=options.evaluation or None,
        device=str(pick_device(options.device)),
        seed=options.seed,
        overwrite=options.overwrite,
        progress=True,
    )
    say(f"the report is in {path}")
