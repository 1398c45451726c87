"""Objectives in whole runs: chosen by name, written down, resumed, shared by ranks, from outside the package."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.training.run_small import child, recipe, train_small
from tests.training.small import SmallRecipe
from tests.training.test_ranks import become, free_port

import pixelbayes as pb
from pixelbayes.data import AugmentConfig
from pixelbayes.errors import UserError
from pixelbayes.journals import read_rows
from pixelbayes.objectives import HybridConfig, LikelihoodConfig, Objective
from pixelbayes.recipe import Recipe, from_dict, load_recipe, override
from pixelbayes.training.state_files import list_states


def hybrid(epochs: float = 0.4, config: HybridConfig | None = None, **training: object) -> SmallRecipe:
    parts = recipe(epochs, validation_pairs=60, **training)
    return replace(
        parts,
        objective=config or HybridConfig(temperature_rate=50.0),
        network=replace(parts.network, scales=1),
    )


def same(one: Path, other: Path) -> bool:
    a, b = load_file(list_states(one)[-1]), load_file(list_states(other)[-1])
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_hybrid_run_writes_its_parts_and_learns_its_temperature(tmp_path: Path) -> None:
    train_small(
        tmp_path / "run",
        hybrid(
            config=HybridConfig(
                augmented=True, start=0.5, strong=AugmentConfig(crop=0.2), temperature_rate=50.0
            )
        ),
    )
    rows = read_rows(tmp_path / "run" / "journal.csv")
    assert float(rows[0]["train_bits_per_dim"]) > 0
    assert not rows[0]["train_cross_entropy"]
    assert float(rows[-1]["train_cross_entropy"]) > 0
    assert float(rows[-1]["train_temperature"]) != 64 / 40
    assert 0 <= float(rows[-1]["train_label_accuracy"]) <= 1
    config = pb.load(tmp_path / "run").record.training.objective
    assert (config["name"], config["start"], config["strong"]["crop"]) == ("hybrid", 0.5, 0.2)


@pytest.mark.parametrize("network", ["dropout"])
def test_a_hybrid_run_in_two_sittings_is_that_of_one(tmp_path: Path, network: str) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    train_small(one, hybrid(0.4))
    train_small(two, hybrid(0.4), max_steps=3)
    train_small(two, hybrid(0.4), resume=True, max_steps=50)
    assert same(one, two)
    assert any(name.startswith("objective.") for name in load_file(list_states(one)[-1]))


def test_weight_zero_is_the_run_of_the_likelihood_to_the_bit(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    train_small(one, hybrid(0.2, LikelihoodConfig(), clip=0.5))  # type: ignore[arg-type]
    train_small(two, hybrid(0.2, HybridConfig(weight=0.0, augmented=True), clip=0.5))
    a, b = load_file(list_states(one)[-1]), load_file(list_states(two)[-1])
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_parts_of_a_batch_give_the_same_run(tmp_path: Path) -> None:
    runs = []
    for accumulate in (1, 3):
        runs.append(tmp_path / str(accumulate))
        train_small(runs[-1], hybrid(0.2, accumulate=accumulate).still())
    a, b = (load_file(list_states(run)[-1]) for run in runs)
    assert all(
        torch.allclose(a[name], b[name], atol=2e-3) for name in a if name.startswith(("model", "objective"))
    )


def as_rank(rank: int, ranks: int, port: int, out: Path) -> None:
    become(rank, ranks, port)
    strong = HybridConfig(augmented=True, start=0.3, strong=AugmentConfig(crop=0.2))
    train_small(out, hybrid(0.3, strong, clip=0.5).still())


def test_two_ranks_give_the_losses_of_one_process(tmp_path: Path) -> None:
    alone, shared, port = tmp_path / "alone", tmp_path / "shared", free_port()
    processes = [child(as_rank, tmp_path / f"{rank}.txt", rank, 2, port, shared) for rank in range(2)]
    train_small(
        alone,
        hybrid(
            0.3, HybridConfig(augmented=True, start=0.3, strong=AugmentConfig(crop=0.2)), clip=0.5
        ).still(),
    )
    for process in processes:
        process.join(120)
    assert [p.exitcode for p in processes] == [0, 0], [
        (tmp_path / f"{rank}.txt").read_text() for rank in range(2)
    ]
    for one, two in zip(read_rows(alone / "journal.csv"), read_rows(shared / "journal.csv"), strict=True):
        for name in ("train_bits_per_dim", "train_cross_entropy", "train_temperature"):
            assert bool(one[name]) == bool(two[name])
            assert not one[name] or float(one[name]) == pytest.approx(float(two[name]), rel=1e-3)


def test_resuming_keeps_the_objective(tmp_path: Path) -> None:
    train_small(tmp_path / "run", hybrid(), max_steps=1)
    with pytest.raises(UserError, match="begun with the objective hybrid"):
        train_small(tmp_path / "run", hybrid(config=LikelihoodConfig()), resume=True)  # type: ignore[arg-type]
    train_small(tmp_path / "run", hybrid(config=HybridConfig(weight=0.1)), resume=True, max_steps=2)


def test_every_spelling_of_the_objective_means_the_same() -> None:
    base, wanted = Recipe(name="own"), HybridConfig(weight=0.25)
    for changes in (
        {"objective": "hybrid", "objective.weight": 0.25},
        {"training.objective": "hybrid", "training.objective.weight": 0.25},
        {"training": {"objective": {"name": "hybrid", "weight": 0.25}}},
        {"objective": {"name": "hybrid", "weight": 0.25}},
    ):
        assert override(base, changes).objective == wanted
    for table in (
        {"objective": {"name": "hybrid", "weight": 0.25}},
        {"training": {"objective": {"name": "hybrid", "weight": 0.25}}},
    ):
        assert from_dict({"name": "own", **table}).objective == wanted
    assert from_dict({"name": "own", "training": {"objective": "hybrid"}}).objective == HybridConfig()
    strong = override(base, {"objective": "hybrid", "objective.strong.crop": 0.5}).objective.strong
    assert strong == replace(HybridConfig().strong, crop=0.5)
    with pytest.raises(UserError, match="did you mean 'hybrid'"):
        override(base, {"training.objective": "hybird"})
    with pytest.raises(UserError, match="given twice"):
        from_dict({"name": "own", "objective": {"name": "hybrid"}, "training": {"objective": "hybrid"}})
    assert load_recipe("digits").objective == LikelihoodConfig()


def test_an_objective_that_tells_no_likelihood_is_refused(tmp_path: Path) -> None:
    class Blind(Objective):
        parts = ("guess",)

    class Config(LikelihoodConfig):
        def build(self, model: pb.AutoregressiveImageModel) -> Blind:  # type: ignore[override]
            return Blind(model)

    pb.register_objective("blind")(Config)
    with pytest.raises(UserError, match="no part 'likelihood'"):
        train_small(tmp_path / "run", replace(recipe(), objective=Config()))
    assert not (tmp_path / "run").exists()
