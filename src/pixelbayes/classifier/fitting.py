"""Training the dedicated classifier: a strong recipe that needs no choices.

AdamW, a rate that rises and falls by a half cosine over the budget, label smoothing (Szegedy et al. 2016), weights
averaged over the last steps (Polyak), normalisations that are measured anew for them, and augmentation that suits the
images: shifts always, mirroring where the caller says so. Without classes it learns by which quarter turn an image
was turned (Gidaris et al. 2018), so that its features are still those of the data.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, inf, pi
from time import monotonic

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from ..data import ImageSet
from ..errors import UserError, check_above_zero, check_whole
from ..levels import ImageShape, to_signal
from ..progress import show_progress
from .network import ResidualNetwork

AT_ONCE = 256  # images in a pass without gradients
TASK = "training the classifier"
NORMALISED_BY = 2048  # images, at most, that give the normalisations their statistics


@dataclass(frozen=True)
class FitConfig:
    """How long and how the classifier is trained; it stops at the epochs or at the minutes, whichever comes first."""

    minutes: float | None = 5.0
    epochs: float = 60.0
    max_steps: int | None = None
    batch: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    flip: bool = False
    """Mirror half of the images left to right."""
    shift: float = 0.125
    """Move images by up to this share of the side, either way."""
    ema_decay: float = 0.995
    seed: int = 0

    def __post_init__(self) -> None:
        check_above_zero("the minutes of the classifier", self.minutes)
        check_above_zero("the epochs of the classifier", self.epochs)
        check_whole("the steps of the classifier", self.max_steps, least=1)


@dataclass(frozen=True)
class Classifier:
    """A trained network, its images, and how it came about. `classes` are empty where it learned turns."""

    network: ResidualNetwork
    shape: ImageShape
    classes: tuple[str, ...]
    data: str
    """The fingerprint of the training images."""
    seconds: float
    epochs: float

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.network.parameters())

    @property
    def dims(self) -> int:
        """Features of one image."""
        return self.network.head.in_features

    def logits(self, levels: Tensor) -> Tensor:
        """Integer levels [N, C, H, W] -> logits [N, K], float64 on the CPU."""
        return self._in_parts(levels, self.network)

    def features(self, levels: Tensor) -> Tensor:
        """Integer levels [N, C, H, W] -> features [N, 128], float64 on the CPU."""
        return self._in_parts(levels, self.network.features)

    @torch.inference_mode()
    def _in_parts(self, levels: Tensor, look: "nn.Module | object") -> Tensor:
        device = self.network.head.weight.device
        assert callable(look)
        parts = [look(signal_of(part.to(device), self.shape)) for part in levels.split(AT_ONCE)]
        return torch.cat(parts).cpu().double()


def signal_of(levels: Tensor, shape: ImageShape) -> Tensor:
    """What the network sees: the levels through the data's own map, in [-1, 1]."""
    return to_signal(levels, shape.levels, shape.signal).contiguous(memory_format=torch.channels_last)


def fit_classifier(
    images: ImageSet,
    config: FitConfig | None = None,
    device: "torch.device | str" = "cpu",
    progress: bool = False,
) -> Classifier:
    """Train on the images of known class; on turns where there are fewer than two classes.

    Raises UserError where there are fewer than two images.
    """
    config = config or FitConfig()
    known = images.labelled if len(images.classes) > 1 else images
    names = images.classes.names if len(images.classes) > 1 else ()
    if len(known) < 2:
        raise UserError("a classifier needs at least two images of known class to train on")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        side = max(images.shape.height, images.shape.width)
        network = ResidualNetwork(images.shape.channels, len(names) or 4, side).to(device)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    start = monotonic()
    averaged, epochs = _trained(network, known, config, bool(names), torch.device(device), progress)
    return Classifier(
        averaged.eval().requires_grad_(False),
        images.shape,
        names,
        images.fingerprint(),
        monotonic() - start,
        epochs,
    )


def _trained(
    network: ResidualNetwork,
    images: ImageSet,
    config: FitConfig,
    labelled: bool,
    device: torch.device,
    progress: bool,
) -> tuple[ResidualNetwork, float]:
    """The averaged network, and the epochs that the budget allowed."""
    batch = min(config.batch, len(images))
    per_epoch = len(images) // batch
    steps = max(1, round(config.epochs * per_epoch))
    limit, most = (config.minutes or inf) * 60, min(steps, config.max_steps or steps)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay))
    optimiser = torch.optim.AdamW(_groups(network, config.weight_decay), lr=config.learning_rate)
    noise = torch.Generator().manual_seed(config.seed)
    order, start, done = _order(len(images), batch, noise), monotonic(), 0
    network.train()
    while done < most and (share := max(done / most, (monotonic() - start) / limit)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * _rate(share)
        chosen = next(order)
        levels, targets = images.levels[chosen].to(device), images.labels[chosen].to(device)
        seen, targets = _augmented(signal_of(levels, images.shape), targets, config, labelled, noise)
        optimiser.zero_grad(set_to_none=True)
        cross_entropy(network(seen), targets, label_smoothing=config.label_smoothing).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        done += 1
        # The random start must not stay in a short run's average.
        average.multi_avg_fn = get_ema_multi_avg_fn(min(config.ema_decay, 1 - 1 / (1 + done / 4)))
        average.update_parameters(network)
        if progress:
            show_progress(TASK, share, f"{done} steps")
    if progress:
        show_progress(TASK, 1.0)
    averaged = average.module
    assert isinstance(averaged, ResidualNetwork)
    averaged.train()  # the statistics of the normalisations are those of the averaged weights
    some = torch.randperm(len(images), generator=noise)[:NORMALISED_BY].split(AT_ONCE)
    update_bn((signal_of(images.levels[rows].to(device), images.shape) for rows in some), averaged)
    return averaged, done / per_epoch


def _rate(share: float, warmup: float = 0.05) -> float:
    """Of the learning rate, at this share of the run: a short rise, then half a cosine."""
    return share / warmup + 1e-3 if share < warmup else (1 + cos(pi * (share - warmup) / (1 - warmup))) / 2


def _groups(network: nn.Module, decay: float) -> list[dict[str, object]]:
    """Weights are drawn towards zero; gains and biases are not."""
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]


def _order(images: int, batch: int, noise: torch.Generator) -> Iterator[Tensor]:
    """Batches of whole epochs, each in a new order; what does not fill a batch waits for another epoch."""
    while True:
        order = torch.randperm(images, generator=noise)
        for start in range(0, images - batch + 1, batch):
            yield order[start : start + batch]


def _augmented(
    signal: Tensor, labels: Tensor, config: FitConfig, labelled: bool, noise: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Shifted and perhaps mirrored signals, and their targets: the labels, or by how many quarters they were turned."""
    if config.flip:
        mirrored = torch.rand(len(signal), generator=noise).to(signal.device) < 0.5
        signal = torch.where(mirrored[:, None, None, None], signal.flip(3), signal)
    signal = _shifted(signal, config.shift, noise)
    if labelled:
        return signal, labels
    side = min(signal.shape[2:])
    square = signal[..., :side, :side]
    turns = torch.randint(4, (len(signal),), generator=noise)
    turned = [torch.rot90(image, int(turn), (1, 2)) for image, turn in zip(square, turns, strict=True)]
    return torch.stack(turned), turns.to(signal.device)


def _shifted(signal: Tensor, share: float, noise: torch.Generator) -> Tensor:
    """Each image moved by its own whole pixels; what comes in at the edge repeats the edge."""
    n, _, height, width = signal.shape
    reach = max(0, round(share * min(height, width)))
    if not reach:
        return signal
    wide = pad(signal, (reach,) * 4, mode="replicate")
    down, right = torch.randint(2 * reach + 1, (2, n), generator=noise).to(signal.device)
    rows = (down[:, None] + torch.arange(height, device=signal.device))[:, None, :, None]
    columns = (right[:, None] + torch.arange(width, device=signal.device))[:, None, None, :]
    index = torch.arange(n, device=signal.device)[:, None, None, None]
    channel = torch.arange(signal.shape[1], device=signal.device)[None, :, None, None]
    return wide[index, channel, rows, columns].contiguous(memory_format=torch.channels_last)
