"""What log p(x | c) of all K classes costs, in passes of one class, for each label strategy.

    python -m benchmarks.classification [--strategies mild left late] [--classes 4 10 100] [--filters 40] [--size 32]

A pass is one look of the network at every image under one class. `passes` is what all classes cost together, as
`classify` asks for them; `one by one` what they cost a class at a time; `images/s` is of `classify`. The bars are for
16 RGB images of 32x32, one resnet and 40 filters (`--images 16 --size 32 --filters 40`). `--json FILE` keeps the rows.
"""

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

from pixelbayes.allocation import keep_freed_memory
from pixelbayes.distributions import LogisticMixture
from pixelbayes.fusion import STRATEGIES, FusionConfig
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape
from pixelbayes.likelihood import Question, log_likelihoods
from pixelbayes.model import AutoregressiveImageModel, build
from pixelbayes.networks import PixelCNNPPConfig
from pixelbayes.speed import seconds_of

HEADINGS = ("strategy", "classes", "passes", "one by one", "images/s")


def main() -> None:
    options = arguments()
    keep_freed_memory()  # as `classify` does
    device = torch.device(options.device)
    levels = torch.randint(0, 256, (options.images, 3, options.size, options.size), dtype=torch.uint8)
    print(f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}")
    rows = []
    for strategy in options.strategies or [name for name in STRATEGIES if name != "none"]:
        for classes in options.classes:
            model = make(strategy, classes, options).to(device)
            row = measure(model, levels, options.batch, options.repeats)
            rows.append({"strategy": strategy, "classes": classes, **row})
            print(f"| {' | '.join(str(value) for value in rows[-1].values())} |", flush=True)
    if options.json:
        case = vars(options) | {"threads": torch.get_num_threads()}
        Path(options.json).write_text(json.dumps({"case": case, "rows": rows}, indent=2) + "\n")


def make(strategy: str, classes: int, options: argparse.Namespace) -> AutoregressiveImageModel:
    torch.manual_seed(0)
    shape = ImageShape(3, options.size, options.size)
    network = PixelCNNPPConfig(resnets=options.resnets, filters=options.filters)
    names = Labels(tuple(map(str, range(classes))))
    return build(shape, names, network, LogisticMixture(5), FusionConfig(strategy)).eval()


def measure(
    model: AutoregressiveImageModel, levels: Tensor, batch: int | None, repeats: int
) -> dict[str, float]:
    """The cost of all classes together and one by one, in passes of one class, and images/s of the former."""

    def under(label: int) -> None:
        with torch.inference_mode():
            model.log_prob(levels, torch.full((len(levels),), label))

    def all_classes() -> None:
        for _ in log_likelihoods(model, levels, Question(batch=batch)):
            pass

    def one_by_one() -> None:
        for label in range(len(model.classes)):
            under(label)

    one = seconds_of(lambda: under(0), model.device, repeats)
    together = seconds_of(all_classes, model.device, repeats)
    apart = seconds_of(one_by_one, model.device, repeats=1, warm_up=False)
    return {
        "passes": round(together / one, 2),
        "one by one": round(apart / one, 2),
        "images/s": round(len(levels) / together, 1),
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--strategies", nargs="*", help="all of the table when not given")
    parser.add_argument("--classes", type=int, nargs="+", default=[4, 10, 100])
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--size", type=int, default=16)
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--resnets", type=int, default=1)
    parser.add_argument(
        "--batch", type=int, help="pairs of an image and a class at once, as classify --batch"
    )
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
