"""What a study compares: a TOML file -> trials.

summary = "one line"                  source = "where it is from"
data = "mnist"                        # the images, where they are not named with --data
recipe = "report3-mild-small"         # of all variants that name no other
seeds = [0, 1, 2]                     minutes = 4   (or max_steps; else the recipe's epochs)
images = 500                          # so many held-out images judge each trial, the same in all; else all of them
[set]                                 # fields of the recipe, for all trials
"training.batch" = 8
[grid]                                # every combination of these values
"network.resnets" = [1, 2, 3]
[[variants]]                          # and each of these
name = "strong"
recipe = "report3-strong-small"
[variants.set]
"network.dropout" = 0.1
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

from ..errors import UserError, check_above_zero, check_whole, unknown
from ..recipe import Recipe, load_recipe, override

ENTRIES = (
    "summary", "source", "data", "recipe", "seeds", "minutes", "max_steps", "images", "set", "grid", "variants"
)  # fmt: skip
OF_VARIANT = ("name", "recipe", "set")
MOST_TRIALS = 10_000


@dataclass(frozen=True)
class Trial:
    """One training: a variant with one seed. `values` are those of the grid, a column each."""

    variant: str
    seed: int
    recipe: Recipe
    minutes: float | None
    max_steps: int | None
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Also of its folder."""
        return f"{re.sub(r'[^A-Za-z0-9._=+-]+', '_', self.variant)}.seed{self.seed}"

    def digest(self, data: str) -> str:
        """A short text that other settings or data would change."""
        settings = {**self.recipe.to_dict(), "name": "", "summary": "", "source": ""}
        parts = [settings, self.seed, self.minutes, self.max_steps, data]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Study:
    """The trials, seed by seed, so that an interrupted study has whole rounds."""

    name: str
    summary: str
    source: str
    data: str | None
    seeds: tuple[int, ...]
    trials: tuple[Trial, ...]
    images: int | None = None
    """How many held-out images judge each trial, at most; None: all of them."""

    def digests(self, data: str) -> dict[str, str]:
        """Returns for each trial a short text that other settings, data or images to judge by would change."""
        judged = data if self.images is None else f"{data}, {self.images} images"
        return {trial.name: trial.digest(judged) for trial in self.trials}

    @property
    def variants(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(trial.variant for trial in self.trials))


def studies() -> list[str]:
    """The names of the studies that come with the package."""
    folder = files("pixelbayes") / "studies"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def load_study(
    name: str | Path,
    seeds: tuple[int, ...] | None = None,
    minutes: float | None = None,
    max_steps: int | None = None,
    images: int | None = None,
) -> Study:
    """A study by its name or from a TOML file; seeds and limits given here replace the file's.

    Raises UserError, naming the file and what is accepted, also for settings that no recipe knows.
    """
    text = str(name)
    if text.endswith(".toml"):
        try:
            content = Path(text).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"the study {text} cannot be read: {getattr(error, 'strerror', error)}") from None
    elif text in studies():
        content = (files("pixelbayes") / "studies" / f"{text}.toml").read_text(encoding="utf-8")
    else:
        raise unknown("study", text, studies())
    try:
        table = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{text} is not valid TOML: {error}") from None
    given = {
        "seeds": list(seeds) if seeds else None,
        "minutes": minutes,
        "max_steps": max_steps,
        "images": images,
    }
    if minutes is not None or max_steps is not None:
        table.pop("minutes", None), table.pop("max_steps", None)
    table |= {key: value for key, value in given.items() if value is not None}
    return parse(table, Path(text).stem, text)


def parse(table: Mapping[str, Any], name: str, where: str) -> Study:
    """Plain data, as in a TOML file, -> a study."""
    for key in table:
        if key not in ENTRIES:
            raise unknown(f"entry in {where}:", key, ENTRIES)
    for key in ("summary", "source", "data", "recipe"):
        if not isinstance(table.get(key, ""), str):
            raise UserError(f"{where} {key} must be a text, not {table[key]!r}")
    check_above_zero(f"{where}: minutes", table.get("minutes"))
    check_whole(f"{where}: max_steps", table.get("max_steps"), least=1)
    check_whole(f"{where}: images", table.get("images"), least=1)
    seeds = _seeds(table.get("seeds", [0]), where)
    rows = list(_rows(table, where))
    names = [variant for variant, _, _ in rows]
    if twice := next((variant for variant in names if names.count(variant) > 1), None):
        raise UserError(f"{where}: two variants are called '{twice}'")
    minutes, steps = table.get("minutes"), table.get("max_steps")
    trials = tuple(
        Trial(variant, seed, replace(recipe, seed=seed), float(minutes) if minutes else None, steps, values)
        for seed in seeds
        for variant, recipe, values in rows
    )
    if len(trials) > MOST_TRIALS:
        raise UserError(
            f"{where}: {len(trials):,} trials are more than the {MOST_TRIALS:,} that a study may have"
        )
    if len({trial.name for trial in trials}) < len(trials):
        raise UserError(
            f"{where}: two variants have names that differ in signs alone, and would share a folder"
        )
    about = (table.get("summary", ""), table.get("source", ""), table.get("data"))
    return Study(name, *about, seeds, trials, table.get("images"))


def _seeds(value: Any, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not value:
        raise UserError(f"{where} seeds must be a list of whole numbers, such as [0, 1, 2], not {value!r}")
    for seed in value:
        check_whole(f"{where}: a seed", seed, least=0)
        if seed is None:
            raise UserError(f"{where}: a seed needs a value")
    if len(set(value)) < len(value):
        raise UserError(f"{where}: a seed is named twice")
    return tuple(value)


def _rows(table: Mapping[str, Any], where: str) -> Iterator[tuple[str, Recipe, dict[str, Any]]]:
    """Every variant's name, recipe and values of the grid."""
    common, grid = (
        _fields(table.get("set", {}), f"{where} [set]"),
        _fields(table.get("grid", {}), f"{where} [grid]"),
    )
    for field_name, values in grid.items():
        if not isinstance(values, list) or not values:
            raise UserError(f"{where} [grid]: {field_name} needs a list of values, not {values!r}")
    variants = table.get("variants", [{}])
    if (
        not isinstance(variants, list)
        or not variants
        or not all(isinstance(row, Mapping) for row in variants)
    ):
        raise UserError(f"{where}: variants are tables, [[variants]] each")
    for row in variants:
        for key in row:
            if key not in OF_VARIANT:
                raise unknown(f"entry in {where} [[variants]]:", key, OF_VARIANT)
        recipe = row.get("recipe", table.get("recipe"))
        if recipe is None:
            raise UserError(f"{where}: name a recipe, for all variants or for each")
        own = _fields(row.get("set", {}), f"{where} [variants.set]")
        for values in product(*grid.values()):
            point = dict(zip(grid, values, strict=True))
            told = ", ".join(f"{key.rpartition('.')[2]}={_short(value)}" for key, value in point.items())
            name = str(row.get("name") or ("" if told else recipe))
            chosen = load_recipe(_beside(recipe, where))
            changed = (
                override(chosen, {**common, **own, **point}, where) if common or own or point else chosen
            )
            yield ", ".join(part for part in (name, told) if part), changed, point


def _beside(recipe: Any, where: str) -> str:
    """A recipe's file is named from the study's own place."""
    text = str(recipe)
    near = Path(where).parent / text
    return str(near) if text.endswith(".toml") and not Path(text).is_file() and near.is_file() else text


def _fields(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise UserError(f"{where} must be a table of fields, not {value!r}")
    if "seed" in value:
        raise UserError(f"{where}: the seed is no setting of a variant: write seeds = [...] at the top")
    # An unquoted "network.filters = 3" is a table within a table.
    flat: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, Mapping):
            flat |= {f"{key}.{inner}": deep for inner, deep in item.items()}
        else:
            flat[key] = item
    return flat


def _short(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)
