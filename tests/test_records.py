"""What a model remembers of its training: typed, and checked once."""

import json
from pathlib import Path

import pytest

import pixelbayes as pb
from pixelbayes.errors import UserError
from pixelbayes.records import TrainingRecord

GOLDEN = Path(__file__).parent / "golden" / "run" / "config.json"


def test_a_record_comes_back_as_it_was() -> None:
    record = TrainingRecord(config={"batch": 3}, step=4, validation={"bits": None}, finished=True)
    assert TrainingRecord.of(json.loads(json.dumps({"training": record.to_dict()}))) == record


def test_the_record_of_an_earlier_version_is_read() -> None:
    record = TrainingRecord.of(json.loads(GOLDEN.read_text())["description"])
    assert (record.step, record.steps, record.seed, record.max_steps) == (12, 12, 3, 12)
    assert record.config["batch"] == 16
    assert record.validation is not None
    assert record.validation["validation_bits_per_dim"] == pytest.approx(2.88601, abs=1e-4)
    assert record.objective == {}


def test_a_model_that_was_not_trained_here_has_the_defaults() -> None:
    assert TrainingRecord.of({}) == TrainingRecord.of({"training": None}) == TrainingRecord()


@pytest.mark.parametrize(
    "wrong", [{"step": "3"}, {"config": []}, {"finished": 1}, {"seconds": "long"}, {"data": None}]
)
def test_values_of_other_types_are_refused_at_loading(wrong: dict[str, object], tmp_path: Path) -> None:
    model = pb.create("digits", filters=4)
    model.description["training"] = TrainingRecord().to_dict() | wrong
    pb.save(model, tmp_path)
    with pytest.raises(UserError, match=f"description.training {next(iter(wrong))} must be"):
        pb.load(tmp_path)
