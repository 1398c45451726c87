"""Each recipe is what its report's table says, and bad ones are refused with the nearest name."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import pixelbayes as pb
from pixelbayes.distributions import Categorical
from pixelbayes.errors import UserError
from pixelbayes.networks import CONFIGS
from pixelbayes.recipe import Recipe, from_dict, load_recipe, override, parse, recipes, to_toml

# The reports' tables and texts: (field, value) for each configuration. Where a report gives no value, none is here.
REPORT_1 = {
    "network.resnets": 2, "network.filters": 100, "distribution.mixtures": 5, "training.batch": 16,
    "training.learning_rate": 0.002, "training.decay": 0.999995, "training.schedule": "exponential",
    "training.epochs": 50,
}  # fmt: skip
REPORT_2 = {
    "network.resnets": 1, "training.batch": 32, "training.learning_rate": 0.0002, "training.decay": 0.99995,
    "training.decay_per": "epoch",
    "seed": 4399, "augment.flip": True, "augment.rotate": 10,
}  # fmt: skip
LARGE = {**REPORT_2, "network.filters": 128, "distribution.mixtures": 100}
REDUCED = {**REPORT_2, "network.filters": 40, "distribution.mixtures": 10}
REPORT_3 = {
    "network.resnets": 5, "network.filters": 120, "distribution.mixtures": 10, "training.optimiser": "adam",
    "training.schedule": "cosine", "training.epochs": 250,
}  # fmt: skip
REPORT_5 = {
    "network": "pixelcnn", "network.filters": 64, "training.batch": 128, "training.learning_rate": 0.001,
    "distribution": "categorical", "fusion.strategy": "none",
}  # fmt: skip
MNIST = {**REPORT_5, "training.epochs": 100, "data.levels": 2, "data.size": 28, "network.layer_norm": True}
CELEBA = {**REPORT_5, "training.epochs": 50, "data.channels": 3, "network.layer_norm": True}
STAGES = ("u1", "u2", "u3", "u4", "ul1", "ul2", "ul3", "ul4")


def without(*off: str) -> dict[str, object]:
    return {
        "fusion.strategy": "stages",
        "fusion.stages": tuple(stage for stage in STAGES if stage not in off),
    }


TABLE: dict[str, dict[str, object]] = {
    "report1-model1": {**REPORT_1, "network.activation": "tanh", **without()},
    "report1-model2": {**REPORT_1, "network.activation": "relu", **without("u4")},
    "report1-model3": {**REPORT_1, "network.activation": "relu", **without("ul4")},
    "report1-model4": {**REPORT_1, "network.activation": "relu", **without("ul4", "u3", "ul3")},
    "report2-final": {**LARGE, "training.epochs": 801, "fusion.strategy": "gated"},
    "report2-final-late": {**LARGE, "training.learning_rate": 0.0001, "training.decay": 0.997},
    "report2-fine-tuning": {"augment.flip": True, "augment.rotate": 10, "network.filters": 128},
    "report2-reduced": {**REDUCED, "training.epochs": 350, "fusion.strategy": "gated"},
    "report2-augmented": {**REDUCED, "training.epochs": 200},
    "report2-polyak": {**REDUCED, "training.epochs": 450, "training.ema_decay": 0.9995},
    "report2-input-channel": {**REDUCED, "training.epochs": 400, "fusion.strategy": "input"},
    "report2-pure-convolution": {**REDUCED, "training.epochs": 200, "network.residual": False},
    "report2-scale-per-layer": {**REDUCED, "training.epochs": 300, "fusion.strategy": "scale"},
    "report2-shared-matrix": {**REDUCED, "training.epochs": 500, "fusion.strategy": "shared"},
    "report2-shared-matrix-large": {**LARGE, "training.epochs": 475, "fusion.strategy": "shared"},
    "report2-downsampling": {**LARGE, "fusion.strategy": "downsampling"},
    "report3-mild": {**REPORT_3, "fusion.strategy": "mild"},
    "report3-strong": {**REPORT_3, "fusion.strategy": "strong"},
    "report3-study": {**REPORT_3, "fusion.strategy": "mild", "training.schedule": "linear"},
    "report4": {
        "network.resnets": 1, "network.filters": 40, "distribution.mixtures": 5, "training.batch": 16,
        "training.epochs": 100, "training.decay": 0.999995, "training.sample_every": 10,
        "fusion.strategy": "embedding",
    },
    "report5-mnist-5blocks": {**MNIST, "network.blocks": 5},
    "report5-mnist-8blocks": {**MNIST, "network.blocks": 8},
    "report5-mnist-10blocks": {**MNIST, "network.blocks": 10},
    "report5-mnist-no-layernorm": {**MNIST, "network.blocks": 5, "network.layer_norm": False},
    "report5-celeba-5blocks": {**CELEBA, "network.blocks": 5, "network.colour_masks": True},
    "report5-celeba-8blocks": {**CELEBA, "network.blocks": 8, "network.skip": True},
    "report5-celeba-10blocks": {**CELEBA, "network.blocks": 10},
    "report5-celeba-no-colour": {**CELEBA, "network.colour_masks": False, "network.skip": True},
    "report5-celeba-no-skip": {**CELEBA, "network.blocks": 8, "network.skip": False},
    "cpen455-small": {
        "data.size": 32, "network.resnets": 1, "network.filters": 40, "distribution.mixtures": 5,
        "fusion.strategy": "mild",
    },
    "digits": {"data.size": 8, "data.levels": 17, "data.channels": 1},
}  # fmt: skip


def value(recipe: Recipe, field: str) -> object:
    data = recipe.to_dict()
    if field in ("network", "distribution"):
        return data[field]["name"]
    section, _, name = field.rpartition(".")
    return getattr(getattr(recipe, section) if section else recipe, name)


def test_stages_are_refused_where_they_would_do_nothing() -> None:
    with pytest.raises(UserError, match="of the strategy 'stages', not of 'mild'"):
        override(load_recipe("cpen455-small"), {"fusion.stages": ("u1",)})
    both = {"fusion.strategy": "stages", "fusion.stages": ("u1",)}
    assert override(load_recipe("digits"), both).fusion.stages == ("u1",)
    assert override(load_recipe("report1-model3"), {"strategy": "film"}).fusion.strategy == "film"


@pytest.mark.parametrize("name", TABLE)
def test_a_recipe_has_the_figures_of_its_report(name: str) -> None:
    recipe = load_recipe(name)
    assert {field: value(recipe, field) for field in TABLE[name]} == TABLE[name]


@pytest.mark.parametrize("name", recipes())
def test_every_recipe_is_complete(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.shape is not None
    assert recipe.summary
    assert recipe.source
    assert parse(to_toml(recipe), name, "printed") == recipe
    if name.startswith("report"):
        assert name.endswith("-small") or name in TABLE
    if recipe.fusion.strategy != "none":
        assert len(recipe.classes) > 1


SMALLER = {"filters": 8, "resnets": 1, "blocks": 1, "layers": 2, "mixtures": 2, "embedding": 4}


@pytest.mark.parametrize("name", recipes())
def test_every_recipe_makes_a_model_that_scores_and_draws(name: str) -> None:
    recipe = load_recipe(name)
    tables = {"network": recipe.network, "distribution": recipe.distribution, "fusion": recipe.fusion}
    changes = {
        f"{table}.{field}": small
        for table, config in tables.items()
        for field, small in SMALLER.items()
        if getattr(config, field, None)
    }
    model = pb.create(recipe, **changes, **{"data.size": 5})
    labels = [0] if recipe.classes else None
    levels = pb.generate(model, labels=labels, count=1)
    assert levels.shape == (1, model.shape.channels, 5, 5)
    nats = model.log_prob(levels, labels)
    nats.sum().backward()
    assert nats.isfinite().all()
    if recipe.classes:
        assert len(pb.classify(model, levels).posterior[0]) == len(recipe.classes)


def test_each_report_has_a_recipe_that_trains_in_minutes() -> None:
    small = {name for name in recipes() if name.endswith("-small")}
    families = ("report1", "report2", "report3-mild", "report3-strong", "report4", "report5-celeba")
    assert {f"{family}-small" for family in families} <= small
    assert {"mnist-pixelcnn-small", "mnist-gated-small", "mnist-snail-small"} <= small


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[network]\nname = 'pixelcn_pp'", "did you mean 'pixelcnn_pp'"),
        ("[network]\nfilters = 3", "'name' is missing"),
        ("[network]\nname = ['a']", "'name' must be a text, not ['a']"),
        ("[network]\nname = 'pixelcnn_pp'\nfilter = 3", "did you mean 'filters'"),
        ("[network]\nname = 'pixelcnn_pp'\nfilters = 'many'", "filters must be a whole number, not 'many'"),
        ("[network]\nname = 'pixelcnn_pp'\nfilters = true", "filters must be a whole number"),
        ("[network]\nname = 'pixelcnn_pp'\nfilters = 0", "must be at least 1"),
        ("[training]\nschedule = 'cosin'", "did you mean 'cosine'"),
        ("[training]\nepochs = inf", "epochs must be finite, not inf"),
        ("[training]\nvalidate_every = inf", "validate_every must be finite, not inf"),
        ("[training]\nlearning_rate = inf", "learning_rate must be finite, not inf"),
        ("[training]\nlearning_rate = nan", "learning_rate must be above 0, not nan"),
        ("[training]\nsample_every = inf", "sample_every must be finite, not inf"),
        ("[training]\nclip = -1", "clip must be at least 0, not -1"),
        ("[data]\nsplit_seed = -1", "split_seed must be 0 or more"),
        ("[augment]\nrotate = nan", "rotate must be finite and not negative, not nan"),
        ("[augment]\nnoise = inf", "noise must be finite and not negative, not inf"),
        ("[augment]\nmask = -1", "mask must be finite and not negative, not -1"),
        ("[trainig]\nbatch = 3", "did you mean 'training'"),
        ("[fusion]\nstrategy = 'strng'", "did you mean 'strong'"),
        ("data = 3", "must be a table"),
        ("classes = 'a'", "must be a list"),
        ("summary = ", "not valid TOML"),
    ],
)
def test_a_bad_recipe_is_refused_in_one_line_that_names_the_file(
    text: str, wanted: str, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        load_recipe(file)
    assert wanted in str(caught.value)
    assert "mine.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_recipe_is_told_the_nearest_name() -> None:
    with pytest.raises(UserError, match="did you mean 'report2-final'"):
        load_recipe("report2-finl")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(UserError, match=r"nowhere\.toml cannot be read"):
        load_recipe("nowhere.toml")


@pytest.mark.parametrize("recipe", [None, [1], "digits", {}, {"seed": 1}])
def test_a_model_folder_without_a_recipe_is_refused(recipe: object, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"description": {"recipe": recipe}}))
    with pytest.raises(UserError, match=r"holds no recipe|'name' is missing"):
        load_recipe(tmp_path)


def test_overrides_reach_every_kind_of_field() -> None:
    changed = override(
        load_recipe("digits"),
        {
            "network.filters": 8,
            "training": {"batch": 4, "epochs": 2},
            "mixtures": 3,
            "data.levels": None,
            "seed": 5,
        },
    )
    assert (changed.network.filters, changed.training.batch, changed.distribution.mixtures) == (8, 4, 3)
    assert (changed.training.epochs, changed.data.levels, changed.seed) == (2.0, None, 5)


def test_another_distribution_starts_from_its_own_defaults() -> None:
    changed = override(load_recipe("digits"), {"distribution": "categorical", "network.filters": 8})
    assert changed.to_dict()["distribution"] == {"name": "categorical"}
    assert changed.network.filters == 8


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"filterz": 3}, "did you mean 'filters'"),
        ({"networks.filters": 3}, "did you mean 'network'"),
        ({"network": "pixelcnn_p"}, "did you mean 'pixelcnn_pp'"),
        ({"network.filters": "x"}, "must be a whole number"),
    ],
)
def test_a_bad_override_is_refused(changes: dict[str, object], wanted: str) -> None:
    with pytest.raises(UserError, match=wanted):
        override(load_recipe("digits"), changes)


def test_plain_data_and_back() -> None:
    for name in recipes():
        recipe = load_recipe(name)
        assert from_dict(recipe.to_dict()) == recipe


@pytest.mark.parametrize(
    "changes",
    [
        {"distribution": "categorical"},
        {"distribution": {"name": "categorical"}},
        {"distribution.name": "categorical"},
    ],
)
def test_another_distribution_begins_with_its_own_defaults(changes) -> None:
    changed = override(load_recipe("digits"), changes)
    assert changed.distribution == Categorical()
    assert changed.network == load_recipe("digits").network


def test_the_fields_of_another_network_may_stand_before_its_name() -> None:
    network = override(load_recipe("digits"), {"network": {"filters": 8, "name": "gated_pixelcnn"}}).network
    assert network == CONFIGS["gated_pixelcnn"](filters=8)
    kept = override(load_recipe("digits"), {"network": {"name": "pixelcnn_pp", "filters": 8}}).network
    assert kept == replace(load_recipe("digits").network, filters=8)


def test_a_part_that_is_named_anew_keeps_its_fields() -> None:
    base = load_recipe("cpen455-hybrid")
    named = {"objective": "hybrid", "network": "pixelcnn_pp", "distribution": "logistic_mixture"}
    assert override(base, named) == base
    assert (
        override(base, {"objective": {"name": "hybrid", "weight": 0.1}}).objective.ramp == base.objective.ramp
    )
    assert override(base, {"network": "gated_pixelcnn"}).network == CONFIGS["gated_pixelcnn"]()
