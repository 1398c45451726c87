"""A detector: what is known of a model's own images, and a threshold for a chosen rate of false alarms."""

from dataclasses import dataclass, replace
from math import ceil

import torch
from torch import Tensor

from ...distributed import ALONE, Shard
from ...errors import UserError, unknown
from ...inputs import Images, as_levels, require_model
from ...model import AutoregressiveImageModel
from ..classify import Classification
from .compressed import usable
from .detection import Detection, Rejection, doubted
from .local import STEPS, fit_local
from .reference import Reference, fit_reference
from .statistics import Instruments, Statistics, statistics_of

LEAST_IMAGES = 20  # to fit a density on, and to set a threshold by


@dataclass(frozen=True)
class Detector:
    """Belongs to one model. Scores are higher for more foreign images."""

    instruments: Instruments
    reference: Reference
    names: tuple[str, ...]
    """The scores, in the order of the columns of `known`."""
    known: Tensor
    """The scores of held-out images of the known kind [M, S], float64."""
    score: str = "dose"
    """The score that decides."""
    false_alarms: float = 0.05
    """The share of known images that may be called foreign."""
    fingerprint: str = ""
    """Of the model that it was fitted for."""

    def __post_init__(self) -> None:
        if self.score not in self.names:
            raise unknown("score", self.score, self.names)
        if not 0 < self.false_alarms < 1:
            raise UserError(f"the rate of false alarms lies between 0 and 1, not at {self.false_alarms}")
        least = ceil(1 / self.false_alarms) - 1
        if len(self.known) < least:
            raise UserError(
                f"{len(self.known)} held-out images are too few for false alarms of {self.false_alarms:g}: "
                f"it takes {least}"
            )

    @property
    def thresholds(self) -> Tensor:
        """Of each score [S]: a new image of the known kind lies above with a chance of `false_alarms` at most
        (split conformal)."""
        rank = ceil((len(self.known) + 1) * (1 - self.false_alarms) - 1e-9)
        return self.known.sort(0).values[min(rank, len(self.known)) - 1]

    def with_choice(self, score: str | None = None, false_alarms: float | None = None) -> "Detector":
        """The same detector with another deciding score or rate. Raises UserError for what it cannot do."""
        return replace(
            self,
            score=self.score if score is None else score,
            false_alarms=self.false_alarms if false_alarms is None else false_alarms,
        )

    def judge(self, statistics: Statistics) -> Detection:
        """Scores, percentiles among the known images, and verdicts."""
        table = self.reference.scores(statistics)
        scores = torch.stack([table[name] for name in self.names], 1)
        return Detection(scores, self.names, self.known, self.thresholds, self.score, self.false_alarms)


def fit_detector(
    model: AutoregressiveImageModel,
    train: Images,
    held_out: Images,
    *,
    background: AutoregressiveImageModel | None = None,
    score: str = "dose",
    false_alarms: float = 0.05,
    most: int = 1000,
    seed: int = 0,
    local_steps: int | None = None,
    batch: int | None = None,
    progress: bool = False,
    shard: Shard = ALONE,
) -> Detector:
    """Fit the local model and the density on `train`, and the thresholds on `held_out` (levels [N, C, H, W]).

    The statistics are of `most` images of each at most, drawn by `seed`; the local model sees all of `train`. The
    ratio to a background model is among the scores where one is given. Raises UserError for too few images, another
    shape of the background model, an unknown score.
    """
    require_model(model)
    train, held_out = as_levels(train), as_levels(held_out)
    for levels, what in ((train, "to fit a detector on"), (held_out, "held out for its threshold")):
        model.check(levels)
        if len(levels) < LEAST_IMAGES:
            raise UserError(f"{len(levels)} images {what} are too few: it takes {LEAST_IMAGES}")
    if background is not None and background.shape != model.shape:
        raise UserError(f"the background model takes images of {background.shape}, the model {model.shape}")
    local = fit_local(model.shape, train, model.device, seed, local_steps or STEPS, progress)
    instruments = Instruments(local, background, usable(model.shape))
    fitted = statistics_of(model, some(train, most, seed), instruments, batch, progress, shard)
    reference = fit_reference(fitted, seed)
    known = reference.scores(
        statistics_of(model, some(held_out, most, seed), instruments, batch, progress, shard)
    )
    return Detector(
        instruments, reference, tuple(known), torch.stack(list(known.values()), 1),
        score, false_alarms, fingerprint(model),
    )  # fmt: skip


@dataclass(frozen=True)
class Judge:
    """A detector beside a classification: it makes answers to foreign images less sure, or rejects them."""

    detector: Detector
    reject: bool = False
    """Whether foreign images are answered with 'none of these'."""
    batch: int | None = None

    def p_values(
        self,
        model: AutoregressiveImageModel,
        levels: Tensor,
        nats: Tensor,
        progress: bool = False,
        shard: Shard = ALONE,
    ) -> Tensor:
        """Of images [n, C, H, W] whose log p(x | c) [n, K] are known: conformal p-values [n], float64."""
        own = self.detector.instruments
        return self.detector.judge(
            statistics_of(model, levels, own, self.batch, progress, shard, nats)
        ).p_values

    def of(self, answer: Classification, p_values: Tensor) -> Rejection:
        """The answers, as sure as the detector lets them be."""
        return doubted(answer, p_values, self.detector.false_alarms, self.reject)

    def mark(self) -> str:
        """A short text that other p-values of the same images would change."""
        from hashlib import blake2b

        text = f"{self.detector.fingerprint} {self.detector.score}".encode()
        return blake2b(text + self.detector.known.numpy().tobytes(), digest_size=8).hexdigest()


def require_own(detector: Detector, model: AutoregressiveImageModel) -> None:
    """Raises UserError for a detector that was fitted for other weights, of which its scores say nothing."""
    if detector.fingerprint and detector.fingerprint != fingerprint(model):
        raise UserError("the detector was fitted for another model, or for other weights: fit it anew")


def some(levels: Tensor, most: int, seed: int) -> Tensor:
    """At most so many of the images, drawn by the seed, in their order."""
    if len(levels) <= most:
        return levels
    chosen = torch.randperm(len(levels), generator=torch.Generator().manual_seed(seed))[:most]
    return levels[chosen.sort().values]


def fingerprint(model: AutoregressiveImageModel) -> str:
    """A short text that other weights would change."""
    from hashlib import blake2b

    digest = blake2b(digest_size=8)
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
