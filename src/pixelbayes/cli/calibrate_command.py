"""`pixelbayes calibrate`: probabilities that can be believed, fitted on labelled images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, arg

from .arguments import Device, Imports, Pairs, Root, optional, read


@dataclass
class Calibrate:
    """Fit a model's temperature and class offsets anew, and store them in its folder.

    Training does this on the validation images. Do it again for images of another kind, or with more of them: the
    posterior becomes softmax(log p(x|c) / T + offsets + log p(c)). Says what that did to the calibration error, the
    log loss and the Brier score: with no calibration (none), with the one stored before, and now; 'left out' are each
    image's scores by a fit to the others, the figures to believe.

    examples:
      pixelbayes calibrate runs/photos-001
      pixelbayes calibrate runs/photos-001 --data other-photos/ --split validation
    """

    model: Annotated[str, Positional, arg(metavar="MODEL")]
    """A model's folder; its config.json is written anew, its weights stay as they are."""
    data: Annotated[str | None, optional("DATA")] = None
    """Labelled images; those that the training held out when not given."""
    split: Annotated[str | None, optional("SPLIT")] = None
    """train, validation or test; when not given: validation where the data have one, else all of the images."""
    root: Root = None
    batch: Pairs = None
    device: Device = "auto"
    imports: Imports = ()


def run(arguments: Sequence[str]) -> None:
    options = read(Calibrate, arguments, "calibrate")
    from ..calibrating import calibrate
    from ..distributed import my_shard
    from ..extensions import import_extensions
    from ..progress import say
    from .evaluation_tables import score_columns
    from .presenting import check_positive, show

    check_positive(options.batch, "--batch")
    import_extensions(options.imports)
    shard = my_shard(options.device)
    result = calibrate(
        options.model, options.data, split=options.split, root=options.root,
        batch=options.batch, progress=shard.first, shard=shard,
    )  # fmt: skip
    if not shard.first:
        return
    columns = [("none", result.alone), ("before", result.before), ("now", result.after)]
    show(score_columns([*columns, ("left out", result.left_out)], f"on {result.images:,} images"))
    offsets = result.calibration.offsets
    listed = ", ".join(f"{offset:+.2f}" for offset in offsets[:10]) + (", ..." if len(offsets) > 10 else "")
    say(f"stored in {options.model}: temperature {result.calibration.temperature:.3g}, offsets {listed}")
