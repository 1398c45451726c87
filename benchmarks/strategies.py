"""The table of label strategies: what acts where, the parameters it adds, and the networks that take it.

    python -m benchmarks.strategies [--filters 40] [--resnets 1] [--classes 4] [--json FILE]

Parameters are those that a strategy adds to an unconditional PixelCNN++ of that size on 32x32 RGB images.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from pixelbayes import networks
from pixelbayes.distributions import LogisticMixture
from pixelbayes.errors import UserError
from pixelbayes.fusion import STRATEGIES, FusionConfig, Strategy
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape
from pixelbayes.model import build
from pixelbayes.networks import NetworkConfig, PixelCNNPPConfig

SMALL = {"resnets": 1, "blocks": 1, "layers": 1, "filters": 8}
HEADINGS = ("strategy", "acts", "adds", "networks", "source")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--filters", type=int, default=40)
    parser.add_argument("--resnets", type=int, default=1)
    parser.add_argument("--classes", type=int, default=4)
    parser.add_argument("--json")
    options = parser.parse_args()
    config = PixelCNNPPConfig(resnets=options.resnets, filters=options.filters)
    print(f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}")
    rows = [measure(name, config, options.classes) for name in STRATEGIES]
    if options.json:
        Path(options.json).write_text(json.dumps({"case": vars(options), "rows": rows}, indent=2) + "\n")


def measure(name: str, config: NetworkConfig, classes: int) -> dict[str, object]:
    """One row by `HEADINGS`, also printed."""
    strategy, count, takers = STRATEGIES[name], added(name, config, classes), accepting(name)
    print(f"| {' | '.join((name, acts(strategy), f'{count:,}', ', '.join(takers), strategy.source))} |")
    return dict(zip(HEADINGS, (name, acts(strategy), count, takers, strategy.source), strict=True))


def acts(strategy: Strategy) -> str:
    """`operation at site, site` for each operation, in its streams; and where the code is no one-hot vector."""
    sites: dict[str, list[str]] = {}
    for act in strategy.acts:
        kept = sites.setdefault(act.operation, [])
        kept += [] if act.site in kept else [act.site]
    words = [f"{operation} at {', '.join(where)}" for operation, where in sites.items()]
    words += ["one matrix"] if strategy.shared else []
    words += [f"embedding of {strategy.embedding}"] if strategy.embedding else []
    return "; ".join(words) or "-"


def parameters(strategy: str, config: NetworkConfig, classes: int, shape: ImageShape) -> int:
    names = tuple(str(index) for index in range(classes))
    model = build(shape, Labels(names), config, LogisticMixture(5), FusionConfig(strategy))
    return model.num_parameters


def added(strategy: str, config: NetworkConfig, classes: int, shape: ImageShape | None = None) -> int:
    """How many parameters a strategy adds to the network that does not see the label."""
    shape = shape or ImageShape(3, 32, 32)
    return parameters(strategy, config, classes, shape) - parameters("none", config, classes, shape)


def accepting(strategy: str) -> list[str]:
    """The networks that offer a place to each act of the strategy."""
    found = []
    for name, kind in networks.CONFIGS.items():
        config = kind()
        small = replace(config, **{key: value for key, value in SMALL.items() if hasattr(config, key)})
        try:
            parameters(strategy, small, 2, ImageShape(1, 8, 8))
        except UserError:
            continue
        found.append(name)
    return found


if __name__ == "__main__":
    main()
