"""The automatic plan of `pixelbayes train DATA`: levels, network, batch, schedule and augmentation from the data.

Without minutes the plan is a function of the data and the kind of device alone, so that a run can be repeated and
resumed bit for bit. With minutes the machine's speed is measured first, and the network is made to fit the budget.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from .data import AugmentConfig, Dataset
from .distributed import pick_device, world_size
from .distributions import CONFIGS as DISTRIBUTIONS
from .errors import UserError
from .fusion import STRATEGIES, FusionConfig
from .labels import UNKNOWN
from .levels import ImageShape, from_values, to_values
from .model import build
from .networks import CONFIGS as NETWORKS
from .objectives import CONFIGS as OBJECTIVES
from .speed import BUSY, load_a_core, step_seconds
from .training_config import TrainingConfig

SIZES = ((1, 24), (1, 32), (1, 40), (1, 64), (2, 64), (2, 100), (3, 120), (5, 160))
"""Networks by size: residual blocks at each resolution, and filters."""
WORK_A_SECOND = {"cpu": 5e8, "cuda": 2e10, "mps": 2e9}
"""What machines do in the units of `work`, before one is measured: two cores of a laptop, an older card."""
DEFAULT_MINUTES = 10.0
LEAST_IMAGES = (
    16_000  # that the network of 1 block and 40 filters should see, and others in proportion to their work
)
MOST_EPOCHS = 60.0
LEAST_PIXELS = 28 * 28  # below, and in deeper networks, initialisation from the data was seen to diverge
UNBALANCED = 1.5  # the largest class over the smallest
MANY_LEVELS = 64
LEAST_A_CLASS = 5  # images of the smallest class, from which labels are learned
MOST_PASSES = 3.1
"""What all classes of an image may cost where the label enters the left stream; beyond, before the head alone."""
LABEL_RATE = 10.0
"""How much faster than the others the label's weights learn where it enters before the head alone: they are few,
and in a few hundred steps they would stay small."""
OFTEN = 12.0
"""Epochs from which an image is seen so often that it is learned by heart: then dropout, and shifted images."""
MUON_STEPS = 400
"""Steps from which Muon is ahead of Adam; in two hundred it is behind (docs/results.md, Adam and Muon)."""
SELDOM = 2.0
"""Epochs up to which a run begins with images of half the size: it sees four times as many in the same time."""
HALF_UNTIL = 0.4
SHIFT = 14  # by a pixel for each so many of the side
RAMP = 0.25
"""Share of the run in which the labels' weight rises: they tell little until the likelihood has learned something."""
MOST_CLASSES_AT_ONCE = 20  # beyond, asking all of them in each step costs more than it teaches
MOST_OCCURRING = 64
"""Sets of more levels are taken as they are: dark or flat pictures use few of their 256, too."""
CHUNK = 4096  # images looked at in one go, for the levels that occur


@dataclass(frozen=True)
class Plan:
    """A recipe's parts, chosen, and the reasons in words."""

    network: Any
    distribution: Any
    fusion: FusionConfig
    objective: Any
    training: TrainingConfig
    augment: AugmentConfig
    reasons: tuple[tuple[str, str], ...]
    """(the part, why it was chosen so)."""


@dataclass(frozen=True)
class DataFacts:
    """What of a training set matters for the plan."""

    images: int
    pixels: int
    channels: int
    levels: int
    counts: tuple[int, ...]

    @classmethod
    def of(cls, dataset: Dataset) -> "DataFacts":
        train, shape = dataset.train, dataset.shape
        known = int((train.labels != UNKNOWN).sum()) if len(dataset.classes) else len(train)
        counts = tuple(count for count in train.counts() if count) if len(dataset.classes) else ()
        return cls(known, shape.height * shape.width, shape.channels, shape.levels, counts)

    @property
    def ratio(self) -> float:
        """Images of the largest class over those of the smallest."""
        return max(self.counts) / min(self.counts) if self.counts else 1.0

    @property
    def tells_classes_apart(self) -> bool:
        """Whether the labels are trained on as such, beside the likelihood, of which they are worth little where images
        have many levels. Of digits of 17 levels the likelihood alone learns both better (docs/results.md).
        """
        return (
            self.levels >= MANY_LEVELS
            and 2 <= len(self.counts) <= MOST_CLASSES_AT_ONCE
            and min(self.counts) >= LEAST_A_CLASS
        )

    @property
    def passes(self) -> float:
        """What a step costs, in passes of one class."""
        return STRATEGIES[self.strategy].passes(len(self.counts)) if self.tells_classes_apart else 1.0

    @property
    def strategy(self) -> str:
        """`left` computes the stream above once for all classes; of many classes `late` costs a third of it."""
        if not self.tells_classes_apart:
            return "mild"
        if STRATEGIES["left"].passes(len(self.counts)) <= MOST_PASSES:
            return "left"
        return "late" if self.photographs else "late_film"

    @property
    def hurried(self) -> bool:
        """Whether the label's weights learn faster than the others, and images are shifted: many classes of grey
        images, where it was seen to help. With `left` it did not, and of photographs T ran away (docs/results.md)."""
        return self.strategy == "late_film"

    @property
    def photographs(self) -> bool:
        """Colour images of many levels: mirrored, they are the same kind of image. Digits and letters are not."""
        return self.channels == 3 and self.levels >= MANY_LEVELS


def plan(dataset: Dataset, device: str = "auto", minutes: float | None = None) -> Plan:
    """Choose everything for `dataset`. Raises UserError when it has no images to train on."""
    facts = DataFacts.of(dataset)
    if not facts.images:
        raise UserError(f"{dataset.name} has no training images of a known class")
    kind = pick_device(device).type
    seconds = 60 * (minutes or DEFAULT_MINUTES)
    measured = minutes is not None and world_size() == 1
    busy = load_a_core() if measured else None
    speed = (measure(dataset, device) if measured else WORK_A_SECOND[kind] * world_size()) / facts.passes
    resnets, filters = choose_size(facts, speed * seconds)
    affordable = speed * seconds / work(resnets, filters, facts.pixels) / facts.images
    epochs = max(1.0, round(min(affordable, MOST_EPOCHS)))
    seen = affordable if minutes else epochs
    dropout = choose_dropout(seen)
    shift = choose_shift(dataset.shape, seen) if facts.hurried else 0
    size = (
        f"{resnets} block{'s' * (resnets > 1)} a resolution, {filters} filters, the largest that sees "
        f"enough images in {seconds / 60:g} minutes at {'the measured' if measured else 'a usual'} speed{_shared(busy)}"
    )
    reasons = (
        ("network", f"network: {size}"),
        *_reasons(facts, dropout, shift, choose_half(seen, facts.pixels)),
    )
    return Plan(
        network=NETWORKS["pixelcnn_pp"](resnets=resnets, filters=filters, dropout=dropout),
        distribution=_distribution(facts),
        fusion=FusionConfig(facts.strategy),
        objective=_objective(facts),
        training=_training(facts, epochs, seen, resnets, filters, kind),
        augment=AugmentConfig(flip=facts.photographs, shift=shift),
        reasons=reasons,
    )


def work(resnets: int, filters: int, pixels: int) -> float:
    """About what an image costs in training, in multiplications of its blocks; small layers wait for memory."""
    return pixels * (resnets + 0.5) * (filters**2 + 40 * filters)


def choose_size(facts: DataFacts, budget: float) -> tuple[int, int]:
    """The largest network that sees enough images in the budget (in units of `work`): a larger one needs more."""
    # Few images are learned by heart by a large network, however long there is.
    most = 64 if facts.images < 3000 else 160
    fitting = [s for s in SIZES if s[1] <= most and budget / work(*s, facts.pixels) >= images_wanted(*s)]
    return fitting[-1] if fitting else SIZES[0]


def images_wanted(resnets: int, filters: int) -> float:
    """How many images a network should see in training to be worth its price."""
    return LEAST_IMAGES * work(resnets, filters, 1) / work(1, 40, 1)


def choose_dropout(epochs: float) -> float:
    """More, the more often each image is seen."""
    steps = ((OFTEN, 0.0), (30, 0.1), (60, 0.2), (120, 0.35))
    return next((rate for limit, rate in steps if epochs < limit), 0.5)


def choose_optimiser(steps: float) -> Literal["adam", "muon"]:
    """Muon, where there are steps enough."""
    return "muon" if steps >= MUON_STEPS else "adam"


def choose_half(epochs: float, pixels: int) -> float:
    """The share of the run with images of half the size: where each is seen about once (docs/results.md, Half the size
    first)."""
    return HALF_UNTIL if epochs < SELDOM and pixels >= LEAST_PIXELS else 0.0


def choose_shift(shape: ImageShape, epochs: float) -> int:
    """Pixels, where each image is seen often: classes are then told apart by less that belongs to one image alone."""
    side = min(shape.height, shape.width)
    return max(1, round(side / SHIFT)) if epochs >= OFTEN and side > 1 else 0


def _shared(load: float | None) -> str:
    """A word where other work on the machine made the measured speed smaller, and with it the network."""
    if load is None or load < BUSY:
        return ""
    return (
        f" (other work was going on: {load:.1f} processes wanted each core; to compare runs, set --network.filters and "
        "--training.precision)"
    )


def measure(dataset: Dataset, device: str) -> float:
    """The machine's speed in units of `work` a second, from a batch in a small network."""
    resnets, filters = 1, 40
    facts, place = DataFacts.of(dataset), pick_device(device)
    network = NETWORKS["pixelcnn_pp"](resnets=resnets, filters=filters)
    with torch.random.fork_rng(devices=[]):
        model = build(dataset.shape, dataset.classes, network, _distribution(facts), FusionConfig()).to(place)
    batch = torch.arange(choose_batch(place.type, facts.pixels)) % len(dataset.train)
    labels = dataset.train.labels[batch].clamp_min(0).to(place) if len(dataset.classes) else None
    seconds = step_seconds(model, dataset.train.levels[batch].to(place), labels, repeats=2)
    return work(resnets, filters, facts.pixels) * len(batch) / seconds


def choose_batch(kind: str, pixels: int) -> int:
    """Enough pixels to keep the device busy; on a CPU no more, since short runs gain by each step."""
    return 64 if kind == "cuda" else max(8, min(64, 2**13 // pixels))


def _objective(facts: DataFacts) -> Any:
    if not facts.tells_classes_apart:
        return OBJECTIVES["likelihood"]()
    return OBJECTIVES["hybrid"](ramp=RAMP)


def _distribution(facts: DataFacts) -> Any:
    if facts.levels == 2:
        return DISTRIBUTIONS["bernoulli"]()
    return DISTRIBUTIONS["logistic_mixture"](mixtures=5 if facts.images < 20_000 else 10)


def _training(
    facts: DataFacts, epochs: float, seen: float, resnets: int, filters: int, kind: str
) -> TrainingConfig:
    batch = max(1, min(choose_batch(kind, facts.pixels), facts.images))
    return TrainingConfig(
        batch=batch,
        epochs=epochs,
        learning_rate=2e-3 if filters <= 64 else 5e-4,
        optimiser=choose_optimiser(seen * facts.images / batch),
        label_rate=LABEL_RATE if facts.hurried else 1.0,
        half_until=choose_half(seen, facts.pixels),
        schedule="cosine",
        ema=0.05,
        clip=1.0,
        init_data_dependent=resnets == 1 and facts.pixels >= LEAST_PIXELS,
        balanced=facts.ratio > UNBALANCED,
    )


def _reasons(facts: DataFacts, dropout: float, shift: int, half: float) -> tuple[tuple[str, str], ...]:
    reasons = []
    if facts.tells_classes_apart:
        text = "the labels are learned beside the likelihood (hybrid): it alone hardly feels them"
        reasons.append(("objective", text))
    if facts.ratio > UNBALANCED:
        text = f"classes are unbalanced ({facts.ratio:.1f} to 1): each is drawn equally often"
        reasons.append(("training", text))
    if half:
        text = f"each image is seen about once: at half the size in the first {half:.0%} of the run"
        reasons.append(("training", text))
    if dropout:
        reasons.append(("network", f"each image is seen many times: dropout {dropout:g}"))
    if shift:
        reasons.append(
            ("augment", f"each image is seen many times: shifted by up to {shift} pixel{'s' * (shift > 1)}")
        )
    if facts.photographs:
        reasons.append(("augment", "photographs: mirrored at random"))
    return tuple(reasons)


@dataclass(frozen=True)
class FewerLevels:
    """How many levels of 256 a set of images really uses, and why that is thought."""

    levels: int
    reason: str


def fewer_levels(dataset: Dataset, from_array: bool) -> FewerLevels | None:
    """The levels to take where only some of 256 occur; None where they are as many as they seem, or one alone occurs.

    Values spread evenly from black to white (0 and 255; 0, 85, 170 and 255) are so many levels, wherever they come
    from. Values from 0 to a small highest one (0 to 16) are levels themselves in an array, and dark pictures in files.
    """
    if dataset.shape.levels != 256:
        return None
    values = _occurring(dataset)
    if values is None or len(values) < 2:
        return None
    spread = next((count for count in range(2, MOST_OCCURRING + 1) if _are_spread(values, count)), None)
    if spread is not None:
        told = "0 and 255" if spread == 2 else f"{len(values)} values, evenly spread from 0 to 255,"
        return FewerLevels(spread, f"levels: only {told} occur: {spread} levels instead of 256 (data.levels)")
    highest = int(values[-1])
    if from_array and highest < MOST_OCCURRING:
        text = f"levels: the highest value of the arrays is {highest}: {highest + 1} levels instead of 256"
        return FewerLevels(highest + 1, f"{text} (set data.levels to 256 if 255 is white)")
    return None


def _are_spread(values: np.ndarray, count: int) -> bool:
    """Whether these values of 0..255 are `count` levels as files keep them, black and white among them."""
    ends = values[0] == 0 and values[-1] == 255
    return bool(ends and (to_values(from_values(values, count), count) == values).all())


def _occurring(dataset: Dataset) -> np.ndarray | None:
    """The values that occur, ascending; None where they are more than a few."""
    found = torch.zeros(256, dtype=torch.int64)
    for images in dataset.splits.values():
        for start in range(0, len(images), CHUNK):
            found += images.levels[start : start + CHUNK].flatten().long().bincount(minlength=256)
            if int((found > 0).sum()) > MOST_OCCURRING:
                return None
    return found.nonzero().flatten().numpy()
