"""`pixelbayes demo`: from nothing to a report in under three minutes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from .arguments import Device, optional, read


@dataclass
class Demo:
    """Train on the bundled handwritten digits, draw new ones, and classify held-out ones.

    Leaves in OUT the model, curves.png, samples.png, confusion.png, metrics.json and report.html, a page that
    opens without a network. It needs no download, and may be run again at once: it owns its folder.

    examples:
      pixelbayes demo
      pixelbayes demo --out runs/quick --minutes 0.5
    """

    out: Path = Path("runs/demo")
    """The folder to write; an earlier demo there is replaced."""
    minutes: Annotated[float | None, optional("M")] = None
    """How long to train (2.4 minutes when not given)."""
    seed: int = 0
    """Where weights and noise come from."""
    device: Device = "auto"


def run(arguments: Sequence[str]) -> None:
    options = read(Demo, arguments, "demo")
    from ..demo import demo

    demo(options.out, options.minutes, seed=options.seed, device=options.device)
