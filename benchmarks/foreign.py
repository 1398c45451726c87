"""How well a model's scores tell foreign images from known ones: AUROC, AUPR, false alarms at 95 % found.

    python -m benchmarks.foreign MODEL --known fashion_mnist=ROOT:test --foreign mnist=ROOT:test [--images 300]

An image set is WORD, WORD=ROOT (the folder of a standard set's files) or either with :SPLIT. MODEL has a detector
(`pixelbayes detect MODEL --fit`). Two rows more say how the model's own certainty ranks foreign images: the
calibrated posterior of the predicted class, as it is and with the detector's share for 'none of these'.
`--keep FILE` keeps the scores (.npz).
"""

import argparse
import time

import numpy as np
import torch

from pixelbayes import checkpoint
from pixelbayes.data import ImageSet
from pixelbayes.detecting import unlabelled
from pixelbayes.measure.foreign import Separation, separation
from pixelbayes.model import AutoregressiveImageModel
from pixelbayes.tasks.classify import from_log_likelihoods
from pixelbayes.tasks.detect import Detection, Detector, load_detector, statistics_of

Answer = dict[str, torch.Tensor]


def main() -> None:
    options = arguments()
    model = checkpoint.load(options.model)
    detector = load_detector(options.model, model)
    known = answers(model, detector, images_of(model, options.known, options.images))
    kept = {f"known {name}": scores.numpy() for name, scores in known.items()}
    for word in options.foreign:
        start = time.perf_counter()
        foreign = answers(model, detector, images_of(model, word, options.images))
        kept |= {f"{word.partition('=')[0]} {name}": scores.numpy() for name, scores in foreign.items()}
        print(f"{word.partition('=')[0]}: {len(foreign['dose'])} images, {time.perf_counter() - start:.0f} s")
        for name in known:
            print(line(separation(name, known[name], foreign[name])))
    if options.keep:
        np.savez(options.keep, **kept)


def images_of(model: AutoregressiveImageModel, word: str, count: int) -> ImageSet:
    """WORD=ROOT:SPLIT as a set, of which at most `count` images are taken, evenly spread."""
    place, _, split = word.partition(":")
    source, _, root = place.partition("=")
    images = unlabelled(model, source, split or None, root=root or None)
    rows = torch.linspace(0, len(images) - 1, min(count, len(images))).long()
    return images[rows]


def answers(model: AutoregressiveImageModel, detector: Detector, images: ImageSet) -> Answer:
    """Every score, and how unsure the classification is."""
    statistics = statistics_of(model, images.levels, detector.instruments)
    found: Detection = detector.judge(statistics)
    scores: Answer = {name: found[name] for name in found.names}
    if len(model.classes):
        answer = from_log_likelihoods(model, statistics.log_likelihoods)
        scores["1 - posterior"] = 1 - answer.probability
        scores["1 - posterior, rejecting"] = 1 - found.reject(answer).probability
    return scores


def line(found: Separation) -> str:
    return f"{found.name:<26} AUROC {found.auroc:.3f}  AUPR {found.aupr:.3f}  FPR95 {found.fpr95:.3f}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--known", required=True)
    parser.add_argument("--foreign", required=True, nargs="+")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--keep")
    return parser.parse_args()


if __name__ == "__main__":
    main()
