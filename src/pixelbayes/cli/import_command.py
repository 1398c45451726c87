"""`pixelbayes import`: a reference checkpoint becomes a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Annotated

from tyro.conf import Positional, arg

from .arguments import Flag, optional, read


@dataclass
class Import:
    """Turn the weights of the PyTorch port of PixelCNN++ into a model (sizes are read from the tensors).

    Only tensors are read from the file; nothing in it is executed.

    examples:
      pixelbayes import pcnn_cpen455.pth --out runs/imported
      pixelbayes import grey.pth --size 16 24 --out runs/grey
    """

    file: Annotated[Path, Positional, arg(metavar="FILE.pth")]
    """An unconditional checkpoint: a state dictionary (.pth, or .safetensors)."""
    out: Annotated[Path | None, optional("FOLDER")] = None
    """The model's folder; runs/FILE-001, counted up, when not given."""
    size: Annotated[tuple[int, int] | None, optional("HEIGHT WIDTH")] = None
    """Of the images to draw (the checkpoint does not know it): 32x32 in colour and 28x28 in grey when not given."""
    overwrite: Flag = False
    """Replace the model in the folder, if there is one; no other file is touched."""


def run(arguments: Sequence[str]) -> None:
    options = read(Import, arguments, "import")
    from .. import checkpoint
    from ..folders import claim_folder, refuse_occupied
    from ..progress import say
    from ..reference_weights import import_weights
    from .presenting import default_out

    out = options.out or default_out(options.file.stem)
    refuse_occupied(out, options.overwrite)
    checkpoint.refuse_foreign(out)
    model = import_weights(options.file, options.size)
    out = claim_folder(out, options.overwrite)
    checkpoint.save(model, out)
    count = model.num_parameters
    say(f"a model of {count:,} parameters for images of {model.shape} is in {out}")
    say(f"Draw from it:  pixelbayes generate {quote(str(out))} --per-class 16")
