"""What a run remembers besides its tensors."""

from dataclasses import asdict, dataclass, field
from typing import Any

from ..distributed import Arithmetic
from ..errors import UserError
from ..plain import field_types, from_plain

EARLIER_DEFAULTS = {"validate_every": 1.0, "sample_every": 10.0}
"""What earlier versions wrote where nothing was asked for; as a wish of the user's it would be kept to."""


@dataclass
class RunState:
    """Plain data, saved in every state."""

    seed: int
    minutes: float | None
    max_steps: int | None
    training: dict[str, Any]
    """The fields of the TrainingConfig."""
    augment: dict[str, Any]
    objective: dict[str, Any] = field(default_factory=lambda: {"name": "likelihood"})
    seen_validation: bool = False
    """Whether the model to start from may have been trained on the validation images."""
    data: str = ""
    """The fingerprint of the images, by which others are refused when the run goes on."""
    recipe: dict[str, Any] = field(default_factory=dict)
    """As it goes into the model's description."""
    model: dict[str, Any] = field(default_factory=dict)
    """What the model is built from (`model.spec`)."""
    precision: Arithmetic = "32-true"
    compiled: bool = False
    load: float | None = None
    """Of each core, when the machine's speed was measured for the choice of these two."""
    step: int = 0
    """Steps done."""
    elapsed: float = 0.0
    """Seconds, over all sittings."""
    mass: float = 0.0
    """Of the averaged weights."""
    skipped: int = 0
    first_bits: float | None = None
    validation_pairs: int = 0
    """What the clock allows one validation; 0: not yet known, or a run by steps."""
    validated: int = -1
    """The step of the last validation."""
    best: float | None = None
    best_step: int = -1
    best_figures: dict[str, float | None] = field(default_factory=dict)
    stale: int = 0
    """Validations since the best one."""
    stopped: str = ""
    """Why training ended before its end."""
    sheet_step: int = -1
    sheet_last: float = 0.0
    """Seconds of the last one."""
    sheet_seconds: float = 0.0
    """Spent on sample sheets."""
    warned: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "RunState":
        """The inverse of `to_dict`; what other versions wrote beside is left out.

        Raises UserError for what is no run's memory.
        """
        if not isinstance(data, dict):
            raise UserError("it holds no memory of a run")
        known = {name: value for name, value in data.items() if name in field_types(cls)}
        state = from_plain(cls, known, "its memory")
        if "objective" not in data:  # of an earlier version
            state.training = {
                name: v for name, v in state.training.items() if EARLIER_DEFAULTS.get(name) != v
            }
        return state

    @property
    def augment_words(self) -> list[str]:
        """What augmentation does, in words."""
        return [name if value is True else f"{name} {value}" for name, value in self.augment.items() if value]
