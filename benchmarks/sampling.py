"""Sampling: the naive loop (a full pass for every look at a pixel), the cached walk, and one full pass.

    python -m benchmarks.sampling [--network pixelcnn_pp] [--batch 1 16 64] [--json FILE]

The naive loop is timed on the first few pixels and scaled to the image (every pixel costs the same);
`--naive-pixels 0` runs all of it. Ratios are of one run on one machine.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import peak_bytes
from pixelbayes import distributions, networks
from pixelbayes.fusion import FusionConfig
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape
from pixelbayes.model import AutoregressiveImageModel, build
from pixelbayes.networks import NetworkConfig
from pixelbayes.speed import seconds_of
from pixelbayes.tasks.generate import generate
from pixelbayes.walk import NaiveLook, noise, sample


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads or torch.get_num_threads())
    model = make_model(options)
    count = model.num_parameters
    print(
        f"{options.network}, {model.shape}, {count:,} parameters, {torch.get_num_threads()} threads, {options.device}"
    )
    print(
        f"{'batch':>5} {'naive s':>10} {'walk s':>8} {'pass s':>8} {'naive/walk':>10} {'walk/pass':>9} {'peak MB':>8}"
    )
    rows = [measure(model, batch, options) for batch in options.batch]
    if options.json:
        Path(options.json).write_text(json.dumps({"case": vars(options), "rows": rows}, indent=2) + "\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", default="pixelcnn_pp", choices=list(networks.CONFIGS))
    parser.add_argument("--distribution", default="logistic_mixture", choices=list(distributions.CONFIGS))
    parser.add_argument("--set", nargs="*", default=[], metavar="FIELD=VALUE", help="fields of the network")
    parser.add_argument("--mixtures", type=int, default=5)
    parser.add_argument("--channels", type=int, default=3)
    parser.add_argument("--size", type=int, nargs=2, default=(32, 32), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--levels", type=int, default=256)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--naive-pixels", type=int, default=6)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json")
    return parser.parse_args()


def make_model(options: argparse.Namespace) -> AutoregressiveImageModel:
    config: NetworkConfig = networks.CONFIGS[options.network]()
    fields: dict[str, Any] = {"resnets": 1, "filters": 40} if options.network == "pixelcnn_pp" else {}
    for setting in options.set:
        name, _, value = setting.partition("=")
        fields[name] = type(getattr(config, name))(value)
    distribution = distributions.CONFIGS[options.distribution]
    parts = distribution(options.mixtures) if options.distribution == "logistic_mixture" else distribution()
    shape = ImageShape(options.channels, *options.size, options.levels)
    torch.manual_seed(0)
    model = build(shape, Labels(("a", "b", "c", "d")), replace(config, **fields), parts, FusionConfig("mild"))
    return model.to(options.device).eval()


def measure(model: AutoregressiveImageModel, batch: int, options: argparse.Namespace) -> dict[str, float]:
    labels = torch.arange(batch) % 4
    walk = seconds_of(lambda: generate(model, labels, batch=batch), model.device, repeats=2)
    peak = peak_bytes(model.device) / 1e6
    levels = torch.randint(0, model.shape.levels, (batch, model.shape.channels, *options.size))
    with torch.no_grad():
        one_pass = seconds_of(
            lambda: model.pixel_parameters(levels, labels.to(model.device)), model.device, repeats=5
        )
    naive = naive_seconds(model, batch, options.naive_pixels)
    row = {
        "batch": batch,
        "naive_s": naive,
        "walk_s": walk,
        "pass_s": one_pass,
        "naive_over_walk": naive / walk,
        "walk_over_pass": walk / one_pass,
        "peak_megabytes": peak,
    }
    print(
        f"{batch:>5} {naive:>10.2f} {walk:>8.3f} {one_pass:>8.4f} {row['naive_over_walk']:>10.0f}"
        f" {row['walk_over_pass']:>9.2f} {peak:>8.0f}",
        flush=True,
    )
    return row


@torch.no_grad()
def naive_seconds(model: AutoregressiveImageModel, batch: int, pixels: int) -> float:
    """The naive loop's time for the whole image, measured on its first pixels."""
    shape, labels = model.shape, (torch.arange(batch) % 4).to(model.device)
    signal = model.signal(torch.zeros(batch, shape.channels, shape.height, shape.width, dtype=torch.int64))
    choose = sample(torch.stack([noise(0, i, shape) for i in range(batch)]).to(model.device))
    look, total = NaiveLook(model, (shape.height, shape.width)), shape.height * shape.width
    chosen = torch.zeros(batch, shape.channels, 1, 1, dtype=torch.int64, device=model.device)

    def some(count: int) -> None:
        for place in range(count):
            at = divmod(place, shape.width)
            for channels in model.looks:
                choose(look(signal, labels, *at), at, channels, chosen)

    done = min(pixels or total, total)
    return seconds_of(lambda: some(done), model.device, repeats=2, warm_up=done < total) * total / done


if __name__ == "__main__":
    main()
