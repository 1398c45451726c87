"""What a model remembers of its data and its training: the table `description` of its config.json, written, read and
checked here."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from .errors import UserError
from .plain import convert, field_types, from_plain, to_plain

T = TypeVar("T")


@dataclass(frozen=True)
class PreparationRecord:
    """How images became integer levels."""

    height: int = 0
    width: int = 0
    channels: int = 0
    levels: int = 256
    signal: str = "linear"
    resize: str = "bilinear"
    crop: bool = True
    binarise: str = "none"
    seed: int = 0


@dataclass(frozen=True)
class DataRecord(PreparationRecord):
    """Where the images came from and how they were prepared: enough to find them, and to prepare others alike.

    A model that was given no data has the defaults.
    """

    source: str = ""
    """The word for the data, also in another working folder; '' for arrays."""
    config: dict[str, Any] = field(default_factory=dict)
    """The fields of the DataConfig."""
    asked_shape: dict[str, Any] | None = None
    """The shape that a recipe or a model to start from wanted."""
    original: str = ""
    """What the files held, in words."""
    file_channels: tuple[int, ...] = ()
    """The numbers of channels that occurred in the files."""
    class_names: tuple[str, ...] = ()
    class_counts: dict[str, int] = field(default_factory=dict)
    """Training images of each class, by its name."""
    held_out: dict[str, str] = field(default_factory=dict)
    """Prints of the images of each split that was held out, drawn or given (see `data.held_out`)."""
    trained_on: str = ""
    """Prints of the images that were trained on, also by the model that it began with; '' where it is not known."""

    @property
    def fold(self) -> tuple[int, int] | None:
        """Which fold of how many was held out, counted from 0; None outside a k-fold evaluation."""
        fold, folds = self.config.get("fold", 0), self.config.get("folds", 0)
        return (fold, folds) if isinstance(fold, int) and isinstance(folds, int) and folds else None


@dataclass(frozen=True)
class TrainingRecord:
    """How the weights came about. A model that was not trained here has the defaults."""

    config: dict[str, Any] = field(default_factory=dict)
    """The fields of the TrainingConfig."""
    augment: dict[str, Any] = field(default_factory=dict)
    """The fields of the AugmentConfig."""
    objective: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    minutes: float | None = None
    max_steps: int | None = None
    step: int | None = None
    """Of the weights that are kept."""
    steps: int = 0
    """Of the whole run; 0: it was not trained."""
    epochs: float = 0.0
    seconds: float = 0.0
    skipped_steps: int = 0
    precision: str = ""
    compiled: bool = False
    load: float | None = None
    """How many processes wanted each core when the machine was measured, to choose precision and the network's size;
    None where the system does not say."""
    device: str = ""
    ranks: int = 1
    images: int = 0
    data: str = ""
    """The fingerprints of the training and, after a dash, of the validation images."""
    parameters: int = 0
    validation: dict[str, float | None] | None = None
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

    @property
    def validation_print(self) -> str:
        """The fingerprint of the validation images; '' where there were none."""
        return self.data.partition("-")[2]

    def figure(self, name: str) -> float | None:
        """A validation figure of the kept weights, such as 'bits_per_dim'; None where it was not measured."""
        value = (self.validation or {}).get(f"validation_{name}")
        return float(value) if isinstance(value, int | float) else None


@dataclass(frozen=True)
class CalibrationRecord:
    """On what temperature and offsets were fitted anew, after the training."""

    data: str | None = None
    split: str | None = None
    images: str = ""
    """Their fingerprint; '' where the calibration is that of the training."""
    count: int = 0


@dataclass(frozen=True)
class ModelRecord:
    """How a model came about; each part has defaults where nothing is known of it."""

    data: DataRecord = field(default_factory=DataRecord)
    recipe: dict[str, Any] = field(default_factory=dict)
    """What `recipe.from_dict` reads."""
    training: TrainingRecord = field(default_factory=TrainingRecord)
    calibration: CalibrationRecord = field(default_factory=CalibrationRecord)
    imports: tuple[str, ...] = ()
    """Modules that its training needed (an objective, a duty): without them it cannot go on, though it can be used."""
    imported: dict[str, Any] = field(default_factory=dict)
    """Of weights that were trained elsewhere: the file."""

    @property
    def recipe_name(self) -> str:
        """The name of the recipe; '' where there is none."""
        name = self.recipe.get("name")
        return name if isinstance(name, str) else ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for config.json; parts of which nothing is known are left out.

        >>> ModelRecord(data=DataRecord(source="photos")).to_dict()["data"]["source"]
        'photos'
        """
        unknown = ModelRecord()
        parts = {part.name: getattr(self, part.name) for part in fields(self)}
        known = {name: part for name, part in parts.items() if part != getattr(unknown, name)}
        return {name: asdict(part) if name == "training" else to_plain(part) for name, part in known.items()}

    @classmethod
    def from_dict(cls, table: Any) -> "ModelRecord":
        """The inverse of `to_dict`. What other versions wrote beside is left out.

        Raises UserError for values of other types.

        >>> ModelRecord.from_dict({"training": {"step": 3, "weather": "fine"}}).training.step
        3
        """
        known = {name: part for name, part in _table(table, "description").items() if part is not None}
        data = _table(known.get("data", {}), "description.data")
        return cls(
            data=_read(
                DataRecord, data if data.get("source", "") is not None else data | {"source": ""}, "data"
            ),
            recipe=_table(known.get("recipe", {}), "description.recipe"),
            training=_read(TrainingRecord, known.get("training", {}), "training"),
            calibration=_read(CalibrationRecord, known.get("calibration", {}), "calibration"),
            imports=convert(tuple[str, ...], known.get("imports", ()), "description.imports"),
            imported=_table(known.get("imported", {}), "description.imported"),
        )


def _read(kind: type[T], table: Any, name: str) -> T:
    own, where = field_types(kind), f"description.{name}"
    return from_plain(kind, {key: value for key, value in _table(table, where).items() if key in own}, where)


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"{where} must be a table, not {value!r}")
    return value
