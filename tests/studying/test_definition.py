"""What a study's file says becomes trials; what it should not say is refused."""

from pathlib import Path
from types import SimpleNamespace

import pytest

import pixelbayes as pb
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape
from pixelbayes.studying import load_study, studies
from pixelbayes.studying.costs import passes_of
from pixelbayes.studying.definition import parse


def test_variants_times_grid_times_seeds() -> None:
    table = {
        "recipe": "digits",
        "seeds": [0, 4],
        "max_steps": 3,
        "set": {"training.batch": 8},
        "grid": {"network.filters": [2, 4], "mixtures": [1, 2, 3]},
        "variants": [
            {"name": "one"},
            {"name": "two", "set": {"fusion.strategy": "mild", "network": {"dropout": 0.2}}},
        ],
    }
    study = parse(table, "mine", "mine.toml")
    assert len(study.trials) == 2 * 2 * 2 * 3
    assert study.variants[0] == "one, filters=2, mixtures=1"
    last = study.trials[-1]
    assert (last.seed, last.recipe.seed, last.recipe.training.batch, last.recipe.network.dropout) == (
        4,
        4,
        8,
        0.2,
    )
    assert (last.recipe.fusion.strategy, last.recipe.distribution.mixtures) == ("mild", 3)
    assert last.values == {"network.filters": 4, "mixtures": 3}
    assert (
        len({trial.name for trial in study.trials})
        == len({trial.digest("x") for trial in study.trials})
        == 24
    )
    assert last.digest("x") != last.digest("y")
    few = parse({**table, "images": 20}, "mine", "mine.toml")
    assert study.digests("x")[last.name] == last.digest("x")  # as studies of before have it
    assert not set(few.digests("x").values()) & set(study.digests("x").values())


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"recipes": []}, "did you mean 'recipe'"),
        ({"recipe": None}, "name a recipe"),
        ({"recipe": "digts"}, "did you mean 'digits'"),
        ({"seeds": []}, "seeds must be a list"),
        ({"seeds": [0, 0]}, "named twice"),
        ({"seeds": [-1]}, "0 or more"),
        ({"minutes": 0}, "above 0"),
        ({"max_steps": 1.5}, "whole number"),
        ({"grid": {"network.filters": 3}}, "a list of values"),
        ({"grid": {"network.filtrs": [3]}}, "filters"),
        ({"set": {"network.filters": "many"}}, "filters"),
        ({"set": 3}, "a table of fields"),
        ({"variants": [{"nam": "x"}]}, "did you mean 'name'"),
        ({"variants": [{"name": "x"}, {"name": "x"}]}, "two variants are called 'x'"),
        ({"variants": [{"name": "a/b"}, {"name": "a b"}]}, "share a folder"),
        ({"summary": 3}, "must be a text"),
        ({"images": 0}, "images must be"),
    ],
)
def test_a_mistake_is_named(change: dict[str, object], wanted: str) -> None:
    table = {"recipe": "digits", **change}
    with pytest.raises(pb.UserError, match=wanted):
        parse({key: value for key, value in table.items() if value is not None}, "mine", "mine.toml")


def test_files_that_are_no_studies(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("recipe = ")
    for name, wanted in (
        ("report1-smal", "did you mean"),
        (tmp_path / "none.toml", "cannot be read"),
        (tmp_path / "bad.toml", "TOML"),
    ):
        with pytest.raises(pb.UserError, match=wanted):
            load_study(name)


@pytest.mark.parametrize("name", studies())
def test_every_study_of_the_package_is_sound(name: str) -> None:
    study = load_study(name)
    assert study.summary
    assert study.source
    assert len(study.variants) > 1
    if name.endswith("-small"):
        assert all(trial.minutes is not None for trial in study.trials)
        assert (
            sum(trial.minutes or 0 for trial in study.trials) <= 58
        )  # an hour at most, with what comes after training
        assert load_study(name, seeds=(7,), max_steps=2).trials[0].max_steps == 2


@pytest.mark.parametrize(
    "name", ["report3-fusion-small", "report5-celeba-small", "strategies-pixelsnail-small"]
)
def test_what_a_trial_takes_is_counted_without_computing(name: str) -> None:
    trial = load_study(name).trials[0]
    shape = trial.recipe.shape or ImageShape(3, 16, 16, 256)
    images = SimpleNamespace(shape=shape, classes=Labels(trial.recipe.classes))
    step, question = passes_of(trial, images)  # type: ignore[arg-type]
    assert 1 <= step <= 11
    assert 1 <= question <= 10


def test_the_reports_have_their_studies_in_both_sizes() -> None:
    names = set(studies())
    for report in ("report1", "report2", "report3", "report5"):
        assert any(name.startswith(report) and name.endswith("-small") for name in names)
    for name in names:
        assert (name.removesuffix("-small") if name.endswith("-small") else f"{name}-small") in names
