"""Explain an answer: how much each pixel speaks for a class and against its rival.

A likelihood is a sum over pixels, and so are the log odds of two classes: the evidence of a pixel is what it adds.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path

import torch
from torch import Tensor

from ..errors import UserError, check_whole
from ..files import whole
from ..inputs import Images, as_levels, require_model
from ..labels import UNKNOWN, Labels
from ..likelihood import Question, chunk_starts, log_likelihood_maps
from ..model import AutoregressiveImageModel
from ..progress import track
from .classify import from_log_likelihoods

HEADER = ("path", "true", "class", "rival", "log_odds_nats", "log_odds_bits", "probability")


@dataclass(frozen=True)
class Evidence:
    """For N images: what each pixel adds to the log odds of a class against a rival."""

    maps: Tensor
    """log p(pixel | pixels before it, class) - log p(pixel | pixels before it, rival) [N, H, W], nats, float64."""
    chosen: Tensor
    """The index of the class [N]."""
    rivals: Tensor
    """The index of the rival [N]."""
    posterior: Tensor
    """Calibrated p(c | x) [N, K], float64."""
    classes: Labels

    def __len__(self) -> int:
        return len(self.maps)

    @property
    def log_odds(self) -> Tensor:
        """log p(x | class) - log p(x | rival) [N] in nats, float64: the sum of the map, without the prior."""
        return self.maps.sum((1, 2))

    @property
    def probability(self) -> Tensor:
        """The calibrated posterior of the class [N]."""
        return self.posterior.gather(1, self.chosen[:, None])[:, 0]

    def rows(self, paths: Sequence[str], labels: Tensor | None = None) -> Iterator[tuple[str, ...]]:
        """The rows under `HEADER`, in the order of the images; classes by name, `true` empty where unknown."""
        truth = labels.tolist() if labels is not None else [UNKNOWN] * len(self)
        columns = (self.chosen, self.rivals, self.log_odds, self.probability)
        cells = zip(paths, truth, *(column.tolist() for column in columns), strict=True)
        for path, true, chosen, rival, odds, probability in cells:
            yield (
                path, "" if true == UNKNOWN else self.classes[true], self.classes[chosen], self.classes[rival],
                f"{odds:.6f}", f"{odds / log(2):.6f}", f"{probability:.9g}",
            )  # fmt: skip

    def write_csv(self, path: str | Path, paths: Sequence[str], labels: Tensor | None = None) -> None:
        """Write the rows of `rows`, with a header, as CSV."""
        with whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(HEADER)
            writer.writerows(self.rows(paths, labels))


def explain(
    model: AutoregressiveImageModel,
    levels: Images,
    of: str | int | None = None,
    against: str | int | None = None,
    batch: int | None = None,
    progress: bool = False,
) -> Evidence:
    """Integer levels [N, C, H, W] -> Evidence, in the same order.

    The class is the most probable one (the calibrated posterior decides, as in `classify`), or `of`; the rival is the
    best other one, or `against`. Both are names or indices. An image whose most probable class is `against` shows
    the best other class against it. `batch` counts pairs of an image and a class that go through the network at once.
    Raises UserError for a model of fewer than two classes, unknown classes and images that do not fit.

    >>> import pixelbayes as pb
    >>> model = pb.create("digits", filters=4)
    >>> found = explain(model, torch.zeros(2, 1, 8, 8, dtype=torch.uint8), of="3", against="8")
    >>> found.maps.shape, found.chosen.tolist(), found.rivals.tolist()
    (torch.Size([2, 8, 8]), [3, 3], [8, 8])
    """
    require_model(model)
    check_whole("the batch", batch, least=1)
    own, rival = _named_classes(model.classes, of, against)
    levels = as_levels(levels)
    model.check(levels)
    count, (height, width) = len(levels), levels.shape[2:]
    maps = torch.zeros(count, height, width, dtype=torch.float64)
    pairs = torch.zeros(count, 2, dtype=torch.long)
    nats = torch.zeros(count, len(model.classes), dtype=torch.float64)
    chunks = len(chunk_starts(model, count, Question(batch=batch)))
    for rows, every in track(log_likelihood_maps(model, levels, batch), "evidence", chunks, progress):
        part, each = slice(rows.start, rows.stop), torch.arange(len(rows))
        nats[part] = every.sum((2, 3))
        pairs[part] = choose(from_log_likelihoods(model, nats[part]).posterior, own, rival)
        maps[part] = every[each, pairs[part, 0]] - every[each, pairs[part, 1]]
    _refuse_nan(maps)
    return Evidence(
        maps, pairs[:, 0], pairs[:, 1], from_log_likelihoods(model, nats).posterior, model.classes
    )


def choose(posterior: Tensor, own: int | None, rival: int | None) -> Tensor:
    """Posterior [n, K] -> the index of the class and of its rival [n, 2]; those that are given stay."""
    others = posterior.clone()
    if rival is not None:
        others[:, rival] = -1
    chosen = others.argmax(1) if own is None else torch.full((len(posterior),), own)
    others.scatter_(1, chosen[:, None], -1)
    best = others.argmax(1) if rival is None else torch.full((len(posterior),), rival)
    return torch.stack([chosen, best], 1)


def _named_classes(
    classes: Labels, of: str | int | None, against: str | int | None
) -> tuple[int | None, int | None]:
    if len(classes) < 2:
        what = "without classes" if not len(classes) else f"for one class alone ({classes[0]})"
        raise UserError(f"this model was trained {what}: there is no rival to explain an answer against")
    own = None if of is None else classes.index(of)
    rival = None if against is None else classes.index(against)
    if own is not None and own == rival:
        raise UserError(f"there is no evidence for {classes[own]} against itself: name two classes")
    return own, rival


def _refuse_nan(maps: Tensor) -> None:
    lost = maps.isnan().any(2).any(1).nonzero().flatten()
    if len(lost):
        raise UserError(
            f"the likelihood of {len(lost)} of {len(maps)} images is no number, that of image {int(lost[0])} first: "
            "the model's weights are not finite or too large"
        )
