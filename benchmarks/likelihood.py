"""A model's likelihood of a split, under the true labels alone (no classification: one pass an image).

    python -m benchmarks.likelihood MODEL --data mnist --root FOLDER --split test [--images 10000]

Prints nats an image and bits/dim with the standard error over images; `--json FILE` keeps them.
"""

import argparse
import json
from math import log, sqrt
from pathlib import Path

from pixelbayes import checkpoint
from pixelbayes.data import open_images
from pixelbayes.likelihood import Question, collect, log_likelihoods
from pixelbayes.progress import track


def main() -> None:
    options = arguments()
    model = checkpoint.load(options.model, options.device)
    images = open_images(
        options.data,
        model.shape,
        model.record.data,
        model.classes,
        split=options.split,
        root=options.root,
    )
    images = (images.labelled if len(model.classes) else images)[: options.images]
    own = images.labels[:, None] if len(model.classes) else None
    question = Question(candidates=own, batch=options.batch)
    chunks = log_likelihoods(model, images.levels, question)
    total = -(-len(images) // options.batch)
    nats = collect(track(chunks, "scoring", total), len(images), 1)[:, 0]
    mean, error = -nats.mean().item(), nats.std().item() / sqrt(len(nats))
    bits = mean / (model.shape.dims * log(2))
    print(f"{len(nats):,} images: {mean:.2f} +- {error:.2f} nats an image, {bits:.4f} bits/dim")
    if options.json:
        figures = {"images": len(nats), "nats": mean, "standard_error": error, "bits_per_dim": bits}
        Path(options.json).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--data", required=True)
    parser.add_argument("--root")
    parser.add_argument("--split", default="test")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
