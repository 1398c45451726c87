"""A recipe: everything that makes a model, as plain data in a TOML file.

Each table of the file is the configuration that its own room defines: `[data]`, `[network]`, `[distribution]`,
`[fusion]`, `[objective]`, `[training]`, `[augment]`. Unknown names and wrong types are refused, with the nearest name.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

import tomli_w

from . import distributions, networks, objectives
from .data import AugmentConfig, DataConfig
from .errors import UserError, unknown
from .extensions import extension_hint
from .fusion import FusionConfig
from .levels import ImageShape
from .plain import convert, field_types, from_plain, to_plain
from .records import ModelRecord
from .registry import Registry
from .training_config import TrainingConfig

KINDS: dict[str, Registry[type[Any]]] = {
    "network": networks.CONFIGS,
    "distribution": distributions.CONFIGS,
    "objective": objectives.CONFIGS,
}
"""The tables whose field `name` chooses what the others mean."""

SECTIONS: dict[str, type] = {
    "data": DataConfig,
    "fusion": FusionConfig,
    "training": TrainingConfig,
    "augment": AugmentConfig,
}


TOP = ("name", "summary", "source", "classes", "seed")
"""The entries above the tables."""


@dataclass(frozen=True)
class Recipe:
    """The configurations of the parts; `classes` are the names that its own data set has."""

    name: str
    summary: str = ""
    source: str = ""
    classes: tuple[str, ...] = ()
    seed: int = 0
    data: DataConfig = field(default_factory=DataConfig)
    network: Any = field(default_factory=lambda: networks.CONFIGS["pixelcnn_pp"]())
    distribution: Any = field(default_factory=lambda: distributions.CONFIGS["logistic_mixture"]())
    fusion: FusionConfig = field(default_factory=FusionConfig)
    objective: Any = field(default_factory=lambda: objectives.CONFIGS["likelihood"]())
    training: TrainingConfig = field(default_factory=TrainingConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def to_dict(self) -> dict[str, Any]:
        """Plain data with every field that is set; `from_dict` is its inverse."""
        data = {item.name: to_plain(getattr(self, item.name)) for item in fields(self)}
        for section in KINDS:
            data[section] = KINDS[section].to_table(getattr(self, section))
        return data

    @property
    def shape(self) -> ImageShape | None:
        """The images that it is made for; None where size or channels are left to the data."""
        data = self.data
        if data.size is None or data.channels is None:
            return None
        height, width = (data.size, data.size) if isinstance(data.size, int) else data.size
        levels = data.levels or (2 if data.binarise == "random" else 256)
        return ImageShape(data.channels, height, width, levels, data.signal)


def recipes() -> list[str]:
    """The names of the recipes that come with the package."""
    folder = files(__package__) / "recipes"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def load_recipe(name: str | Path) -> Recipe:
    """A recipe by its name, from a TOML file, or that of a model's folder.

    Raises UserError, naming the file and what is accepted.

    Args:
        name: of a recipe, a TOML file or a model's folder.

    Returns:
        A `Recipe`.

    >>> load_recipe("digits").shape
    ImageShape(channels=1, height=8, width=8, levels=17, signal='linear')
    """
    text = str(name)
    if text.endswith(".toml"):
        path = Path(text)
        return parse(_read(path), path.stem, str(path))
    if (Path(text) / "config.json").is_file():
        return _of_model(Path(text) / "config.json")
    if text not in recipes():
        raise unknown("recipe", text, recipes())
    packaged = files(__package__) / "recipes" / f"{text}.toml"
    return parse(packaged.read_text(encoding="utf-8"), text, f"{text}.toml")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"the recipe {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"the recipe {path} cannot be read as text: {error.reason}") from None


def _of_model(path: Path) -> Recipe:
    try:
        config = json.loads(_read(path))
        data = ModelRecord.from_dict(config["description"]).recipe
    except (ValueError, KeyError, TypeError, UserError):
        data = {}
    if not data:
        raise UserError(f"{path} holds no recipe")
    try:
        return from_dict(data, str(path))
    except UserError as error:
        raise UserError(f"{error}{extension_hint(config)}") from None


def parse(text: str, name: str, where: str) -> Recipe:
    """The text of a TOML file -> a recipe."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{where} is not valid TOML: {error}") from None
    return from_dict({"name": name} | data, where)


def from_dict(data: Mapping[str, Any], where: str = "recipe") -> Recipe:
    """Plain data, as in a TOML file or a model's config.json, -> a recipe."""
    hints = field_types(Recipe)
    values: dict[str, Any] = {}
    for key, value in _with_objective(data, where).items():
        if key not in hints:
            raise unknown(f"entry in {where}:", key, hints)
        if key in KINDS:
            values[key] = KINDS[key].from_table(value, f"{where} [{key}]")
        elif key in SECTIONS:
            values[key] = from_plain(SECTIONS[key], _table(value, f"{where} [{key}]"), f"{where} [{key}]")
        else:
            values[key] = convert(hints[key], value, f"{where} {key}")
    if "name" not in values:  # a file's is its own name, so only a model's config.json can lack it
        raise UserError(f"{where}: the entry 'name' is missing")
    recipe = Recipe(**values)
    try:
        recipe.fusion.row()
    except UserError as error:
        raise UserError(f"{where} [fusion]: {error}") from None
    return recipe


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UserError(f"{where} must be a table of fields, not {value!r}")
    return value


def _with_objective(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """`training.objective`, a name or a table, is another spelling of the table `objective`."""
    named = {
        key.removeprefix("training.") if key.startswith("training.objective") else key: value
        for key, value in data.items()
    }
    training = named.get("training")
    if not isinstance(training, Mapping) or "objective" not in training:
        return named
    if "objective" in named:
        raise UserError(f"{where}: the objective is given twice, as [objective] and as training.objective")
    objective = training["objective"]
    rest = {name: value for name, value in training.items() if name != "objective"}
    table = {"name": objective} if isinstance(objective, str) else objective
    return {**named, "training": rest, "objective": table}


def to_toml(recipe: Recipe) -> str:
    """A recipe as a TOML file to start from: every field that is set (the file's name is the recipe's)."""
    data = recipe.to_dict()
    del data["name"]
    return tomli_w.dumps(data)


def override(recipe: Recipe, changes: Mapping[str, Any], where: str = "override") -> Recipe:
    """A recipe with some fields changed.

    A key is `section.field`, a section (with a dictionary of fields; the name of another network, distribution or
    objective, which then starts from its own defaults, while the one that is there keeps its fields; or that of a
    label strategy), or a field's name alone where it is unique. `training.objective` is another word for `objective`.

    >>> override(load_recipe("digits"), {"network.filters": 8, "training": {"batch": 4}}).network.filters
    8
    """
    data = recipe.to_dict()
    flat: dict[str, Any] = {}
    for key, value in _with_objective(changes, where).items():
        if key in KINDS and isinstance(value, str):
            flat[f"{key}.name"] = value
        elif key in (*KINDS, *SECTIONS) and isinstance(value, Mapping):
            flat |= {f"{key}.{name}": item for name, item in value.items()}
        elif key == "fusion" and isinstance(value, str):
            flat["fusion.strategy"] = value
        elif key in SECTIONS:
            raise UserError(f"{where}: {key} is a table of fields, such as {key}={{...}}, not {value!r}")
        else:
            flat[key] = value
    for kind in KINDS:
        # Another part begins with its own defaults, before its fields are set.
        name = flat.pop(f"{kind}.name", None)
        if name is not None and name != data[kind]["name"]:
            data[kind] = _defaults(kind, name)
    for key, value in flat.items():
        _put(data, key, value, where)
    changed = from_dict(data, where)
    if {"stages", "fusion.stages"} & flat.keys() and changed.fusion.strategy != "stages":
        raise UserError(
            f"{where}: fusion.stages are those of the strategy 'stages', not of '{changed.fusion.strategy}'"
        )
    return changed


def _defaults(section: str, name: Any) -> dict[str, Any]:
    """The table of a part with its own defaults, also in tables within it."""
    try:
        return KINDS[section].to_table(KINDS[section][name]())
    except (UserError, TypeError):  # it is unknown, which is told later, or has fields without a default
        return {"name": name}


def _put(data: dict[str, Any], key: str, value: Any, where: str) -> None:
    *tables, name = key.split(".")
    if not tables and key not in TOP:
        tables = [_owner(data, key, where)]
    if tables and tables[0] not in (*KINDS, *SECTIONS):
        raise unknown(f"table in {where}:", ".".join(tables), (*KINDS, *SECTIONS))
    table = data
    for part in tables:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise UserError(f"{where}: {part} is no table of fields")
    if value is None:
        table.pop(name, None)
    else:
        table[name] = to_plain(value)


def _owner(data: dict[str, Any], name: str, where: str) -> str:
    known = {key: field_types(kind) for key, kind in SECTIONS.items()}
    for section, kinds in KINDS.items():
        known[section] = field_types(kinds[data[section]["name"]])
    owners = [section for section, names in known.items() if name in names]
    if len(owners) == 1:
        return owners[0]
    if owners:
        raise UserError(f"{where}: '{name}' is in several tables: {', '.join(f'{o}.{name}' for o in owners)}")
    raise unknown(f"field in {where}:", name, [item for names in known.values() for item in names])
