"""What a detector says about images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ...errors import UserError
from ...files import whole
from ...labels import UNKNOWN
from ..answer_table import NONE_OF_THESE, csv_line
from ..classify import Classification


def header(names: Sequence[str]) -> tuple[str, ...]:
    """The columns of the CSV."""
    return ("path", *names, "percentile", "foreign")


def joined(parts: "Sequence[Detection]") -> "Detection":
    """What one detector says of several blocks of images, of which there is one at least."""
    return replace(parts[0], scores=torch.cat([part.scores for part in parts]))


@dataclass(frozen=True)
class Detection:
    """Of N images: S scores, all with one convention: higher is more foreign."""

    scores: Tensor
    """[N, S], float64: nats; `complexity` in bits."""
    names: tuple[str, ...]
    known: Tensor
    """The scores of held-out images of the known kind [M, S]."""
    thresholds: Tensor
    """Of each score [S]: above, an image is called foreign."""
    by: str
    """The score that decides."""
    false_alarms: float

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, name: str) -> Tensor:
        """One score by name [N]."""
        if name not in self.names:
            raise UserError(f"there is no score '{name}' (known: {', '.join(self.names)})")
        return self.scores[:, self.names.index(name)]

    @property
    def foreign(self) -> Tensor:
        """The verdict [N]: whether the deciding score lies above its threshold."""
        return self[self.by] > self.thresholds[self.names.index(self.by)]

    @property
    def percentiles(self) -> Tensor:
        """The share of the known images that score no higher than each image, in percent [N, S]."""
        ordered = self.known.sort(0).values.T.contiguous()
        below = torch.searchsorted(ordered, self.scores.T.contiguous(), right=True)
        return below.T.double() * (100 / len(self.known))

    @property
    def p_values(self) -> Tensor:
        """The conformal p-value of each image's deciding score [N]: rarely small for an image of the known kind."""
        own = self.known[:, self.names.index(self.by)].sort().values
        higher = len(own) - torch.searchsorted(own, self[self.by].contiguous(), right=False)
        return (1 + higher).double() / (1 + len(own))

    def rows(self, paths: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """The rows of the CSV without its header: path, each score, percentile and verdict of the deciding one."""
        percentiles = self.percentiles[:, self.names.index(self.by)].tolist()
        cells = zip(paths, self.scores.tolist(), percentiles, self.foreign.tolist(), strict=True)
        for path, scores, percentile, foreign in cells:
            yield (
                path,
                *(f"{score:.6f}" for score in scores),
                f"{percentile:.2f}",
                "yes" if foreign else "no",
            )

    def write_csv(self, path: str | Path, paths: Sequence[str]) -> None:
        """Write path, the scores by name, percentile and foreign, with a header, as CSV."""
        with whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            file.write(csv_line(header(self.names)))
            file.writelines(map(csv_line, self.rows(paths)))

    def doubt(self, answer: Classification, reject: bool = False) -> "Rejection":
        """The classification of the same images, less sure of those that are foreign (`doubted`)."""
        if len(answer.posterior) != len(self):
            raise UserError(f"{len(answer.posterior)} answers cannot be judged by {len(self)} detections")
        return doubted(answer, self.p_values, self.false_alarms, reject)

    def reject(self, answer: Classification) -> "Rejection":
        """The classification of the same images, which may say 'none of these'."""
        return self.doubt(answer, reject=True)


def doubted(answer: Classification, p_values: Tensor, false_alarms: float, reject: bool) -> "Rejection":
    """The posterior times how far each image is taken as known: 1 up to the threshold, then p-value / false alarms.

    What is missing to 1 is the share of 'none of these'; with `reject` that is the answer to foreign images.
    """
    belief = (p_values / false_alarms).clamp(max=1.0)
    foreign = p_values <= false_alarms * (1 + 1e-9)
    none = foreign if reject else torch.zeros_like(foreign)
    return Rejection(answer.log_likelihoods, answer.posterior * belief[:, None], answer.classes, none)


@dataclass(frozen=True)
class Rejection(Classification):
    """A classification whose posterior leaves a share for 'none of these': 1 - its sum over the classes."""

    none: Tensor
    """Whether the answer is 'none of these' [N]."""

    @property
    def shares(self) -> Tensor:
        """The posterior of the classes and of none of these, which sums to one [N, K + 1]."""
        rest = (1 - self.posterior.sum(1, keepdim=True)).clamp_min(0)
        return torch.cat([self.posterior, rest], 1)

    @property
    def predicted(self) -> Tensor:
        """The index of the most probable class [N]; -1 for none of these."""
        return torch.where(self.none, UNKNOWN, self.posterior.argmax(1))

    @property
    def runner_up(self) -> Tensor:
        """The next best answer [N]: where it is none of these, the most probable class."""
        plain = Classification(
            self.log_likelihoods, self.posterior, self.classes
        )  # whose answers are all classes
        return torch.where(self.none, plain.predicted, plain.runner_up)

    @property
    def predicted_names(self) -> list[str]:
        """The name of each answer."""
        return [NONE_OF_THESE if index < 0 else self.classes[index] for index in self.predicted.tolist()]
