"""What a model remembers of its training, as it lies in its config.json: written, read and checked here."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .errors import UserError
from .plain import field_types, from_plain


@dataclass(frozen=True)
class TrainingRecord:
    """How the weights came about: `description.training`. A model that was not trained here has the defaults."""

    config: dict[str, Any] = field(default_factory=dict)
    """The fields of the TrainingConfig."""
    augment: dict[str, Any] = field(default_factory=dict)
    objective: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    minutes: float | None = None
    max_steps: int | None = None
    step: int | None = None
    """Of the weights that are kept."""
    steps: int = 0
    """Of the whole run."""
    epochs: float = 0.0
    seconds: float = 0.0
    skipped_steps: int = 0
    precision: str = ""
    compiled: bool = False
    device: str = ""
    ranks: int = 1
    images: int = 0
    data: str = ""
    """The fingerprint of the training and validation images."""
    parameters: int = 0
    validation: dict[str, Any] | None = None
    """The figures of the weights that are kept."""
    validation_of: str = ""
    """What these figures are of, where they are not of everything."""
    trained_on_validation: bool = False
    finished: bool = False
    stopped: str = ""
    """Why training ended before its end."""
    calibrated: bool = False
    calibrated_accuracy: float | None = None
    """Of the kept weights on the validation images, as the calibrated posteriors say."""
    calibrated_balanced_accuracy: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for config.json."""
        return asdict(self)

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> "TrainingRecord":
        """The record in a model's description. What other versions wrote beside is left out.

        Raises UserError for values of other types.

        >>> TrainingRecord.of({"training": {"step": 3, "weather": "fine"}}).step
        3
        """
        table = description.get("training") or {}
        if not isinstance(table, Mapping):
            raise UserError(f"description.training must be a table, not {table!r}")
        known = field_types(cls)
        return from_plain(
            cls, {name: value for name, value in table.items() if name in known}, "description.training"
        )
