"""What a user may set about training."""

from dataclasses import dataclass
from math import inf
from typing import Literal

from .errors import UserError

Schedule = Literal["constant", "linear", "cosine", "exponential"]
Select = Literal["bits_per_dim", "accuracy", "balanced_accuracy"]
Precision = Literal["auto", "32-true", "bf16-mixed"]
Compile = Literal["auto", "on", "off"]


@dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained. 'Share of the run' means of its epochs, or of its minutes where those are given."""

    batch: int = 32
    """Images in one step of the optimiser, over all ranks and accumulated parts."""
    epochs: float = 50.0
    """How long the run is when no minutes are given; an epoch is as many images as the training set has."""
    learning_rate: float = 1e-3
    label_rate: float = 1.0
    """Learning rate of the weights through which the label acts, as a multiple of the others'. They are few and begin
    near zero: with Adam's steps of one size they are the last to grow."""
    schedule: Schedule = "cosine"
    """constant; linear or cosine, to `final_rate` at the end of the run; exponential, times `decay` each time."""
    decay: float = 0.999995
    """Factor of the learning rate (schedule exponential), for each `decay_per`."""
    decay_per: Literal["step", "epoch"] = "step"
    final_rate: float = 0.0
    """Share of the learning rate that is left at the end (schedules linear and cosine)."""
    warmup: float = 0.02
    """Share of the run in which the learning rate rises from zero."""
    optimiser: Literal["adam", "adamw", "muon"] = "adam"
    """muon: kernels move by semi-orthogonal matrices, as far as Adam would at this learning rate; all else by Adam."""
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    """Not applied to gains and biases. With adamw and muon it is decoupled from the gradient."""
    clip: float = 0.0
    """Largest norm of the gradient in nats/dim; 0: not clipped."""
    ema: float = 0.05
    """Horizon of the averaged weights as a share of the run; 0: the weights are not averaged."""
    ema_decay: float | None = None
    """A fixed decay for each step instead of a horizon, such as 0.9995."""
    accumulate: int = 1
    """In how many parts a step's batch goes through the network (less memory, the same result)."""
    precision: Precision = "auto"
    """Of the network in training; losses and reported likelihoods are float32 always. auto: a quick measurement."""
    compile: Compile = "auto"
    """torch.compile. auto: on a GPU, in runs long enough to gain by it."""
    balanced: bool = False
    """Draw every class equally often, however many images it has."""
    focus: tuple[str, ...] = ()
    """Classes (names or indices) that `focus_share` of the samples are drawn from."""
    focus_share: float = 0.9
    augment_until: float = 1.0
    """Share of the run in which images are augmented, if they are; afterwards they are seen as they are, so that the
    density comes back to them."""
    half_until: float = 0.0
    """Share of the run in which images are seen at half their height and width, four times as many in the same time;
    the kernels then go on with whole images (as Karras et al. 2018 grow theirs)."""
    include_validation: bool = False
    """Train on the validation images too; then no validation figures are shown."""
    validate_every: float | None = None
    """Epochs between validations, whatever they cost; not given: one, or more so that they take a tenth of the time."""
    validation_pairs: int = 40_000
    """Most pairs of an image and a class in one validation; beyond, a fixed subset is taken, and said."""
    select: Select = "bits_per_dim"
    """The validation figure that chooses the weights that are kept."""
    patience: int = 0
    """Validations without a better figure after which training stops; 0: it never stops early."""
    calibrate: bool = True
    """Fit a temperature and one offset a class on validation at the end."""
    sample_every: float | None = None
    """Epochs between sample sheets, whatever they cost (0: none but the last); not given: five in a run, in a twentieth
    of the time at most."""
    checkpoint_seconds: float = 60.0
    """Seconds between states from which a run can be resumed; one is written at each validation too."""
    init_data_dependent: bool = False
    """Set the gains and biases from the first batch (Salimans & Kingma 2016)."""
    tolerate: int = 10
    """Steps with a non-finite loss or gradient, one after the other, after which the run stops."""
    duties: tuple[str, ...] = ()
    """Duties of your own between the steps, by the names that they are registered under."""
    wandb: bool = False
    """Also write the journal for Weights & Biases (extra 'wandb'; works offline)."""

    @property
    def at_once(self) -> int:
        """Images of a step that go through the network at once, on one rank."""
        return -(-self.batch // self.accumulate)

    def __post_init__(self) -> None:
        _at_least(1, batch=self.batch, accumulate=self.accumulate, tolerate=self.tolerate)
        _at_least(1, validation_pairs=self.validation_pairs)
        _at_least(0, clip=self.clip, weight_decay=self.weight_decay, patience=self.patience)
        _at_least(0, sample_every=self.sample_every or 0.0, checkpoint_seconds=self.checkpoint_seconds)
        _positive(epochs=self.epochs, learning_rate=self.learning_rate, label_rate=self.label_rate)
        if self.validate_every is not None:
            _positive(validate_every=self.validate_every)
        _share(warmup=self.warmup, ema=self.ema, focus_share=self.focus_share, final_rate=self.final_rate)
        _share(augment_until=self.augment_until, half_until=self.half_until)
        _share(decay=self.decay, ema_decay=self.ema_decay or 0.0)
        _share(beta_1=self.betas[0], beta_2=self.betas[1])
        if max(self.betas) >= 1 or (self.ema_decay or 0.0) >= 1:
            raise UserError("betas and ema_decay must be below 1")


def _at_least(lowest: float, **values: float) -> None:
    for name, value in values.items():
        if not lowest <= value < inf:
            bound = "finite" if value == inf else f"at least {lowest}"
            raise UserError(f"{name} must be {bound}, not {value}")


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value < inf:
            bound = "finite" if value == inf else "above 0"
            raise UserError(f"{name} must be {bound}, not {value}")


def _share(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise UserError(f"{name} must lie between 0 and 1, not {value}")
