"""What a model remembers of its training: typed, and checked once."""

import json
from pathlib import Path

import pytest

import pixelbayes as pb
from pixelbayes.errors import UserError
from pixelbayes.records import DataRecord, ModelRecord, TrainingRecord

GOLDEN = Path(__file__).parent / "golden" / "run" / "config.json"


def test_a_record_comes_back_as_it_was() -> None:
    record = TrainingRecord(config={"batch": 3}, step=4, validation={"bits": None}, finished=True)
    assert (
        ModelRecord.from_dict(json.loads(json.dumps(ModelRecord(training=record).to_dict()))).training
        == record
    )


def test_the_record_of_an_earlier_version_is_read() -> None:
    record = ModelRecord.from_dict(json.loads(GOLDEN.read_text())["description"]).training
    assert (record.step, record.steps, record.seed, record.max_steps) == (12, 12, 3, 12)
    assert record.config["batch"] == 16
    assert record.validation is not None
    assert record.validation["validation_bits_per_dim"] == pytest.approx(2.88601, abs=1e-4)
    assert record.objective == {}


def test_a_model_that_was_not_trained_here_has_the_defaults() -> None:
    assert (
        ModelRecord.from_dict({}) == ModelRecord.from_dict({"training": None, "data": None}) == ModelRecord()
    )


@pytest.mark.parametrize(
    "wrong", [{"step": "3"}, {"config": []}, {"finished": 1}, {"seconds": "long"}, {"data": None}]
)
def test_values_of_other_types_are_refused_at_loading(wrong: dict[str, object], tmp_path: Path) -> None:
    model = pb.create("digits", filters=4)
    pb.save(model, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["description"]["training"] = wrong
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=f"description.training {next(iter(wrong))} must be"):
        pb.load(tmp_path)


def test_the_record_of_data_comes_back_as_it_was() -> None:
    data = pb.open_dataset("digits").preparation
    assert (data.source, data.levels, data.config["fold"], data.fold) == ("digits", 17, 0, None)
    assert set(data.held_out) == {"validation", "test"}
    record = ModelRecord(data, recipe={"name": "mine"}, imports=("my_duty",))
    stored = json.loads(json.dumps(record.to_dict()))
    assert ModelRecord.from_dict(stored) == record
    assert set(stored) == {"data", "recipe", "imports"}  # nothing is known of the training


def test_the_data_of_an_earlier_version_are_read() -> None:
    record = ModelRecord.from_dict(json.loads(GOLDEN.read_text())["description"])
    assert (record.data.source, record.data.height, record.data.original) == ("digits", 8, "8x8, 5 bits")
    assert record.data.class_names == tuple("0123456789")
    assert (record.data.held_out, record.data.class_counts) == ({}, {})  # it did not remember them
    assert record.recipe_name == "automatic"
    assert ModelRecord.from_dict({"data": {"source": None, "kept_by_others": 3}}) == ModelRecord()


def test_a_fold_is_read_from_the_settings_of_the_data() -> None:
    assert DataRecord(config={"fold": 1, "folds": 5}).fold == (1, 5)
    assert DataRecord(config={"fold": 0, "folds": 0}).fold is None


@pytest.mark.parametrize(
    "wrong", [{"source": 3}, {"config": []}, {"held_out": "all"}, {"class_names": [1]}, {"levels": "many"}]
)
def test_data_of_other_types_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UserError, match=f"description.data {next(iter(wrong))} must be"):
        ModelRecord.from_dict({"data": wrong})
