import csv
from math import log

import numpy as np
import pytest
import torch
from tests.stub_model import BernoulliModel, by_hand, images

from pixelbayes.errors import UserError
from pixelbayes.likelihood import Question
from pixelbayes.posterior import Calibration
from pixelbayes.tasks.classify import classify_levels
from pixelbayes.tasks.priors import prior_weights

CHANCES = [0.1, 0.5, 0.9]
NAMES = ("dark", "grey", "light")


@pytest.fixture
def model():
    return BernoulliModel(CHANCES, NAMES)


def test_the_answer_is_bayes_rule_worked_out_by_hand(model):
    found = classify_levels(model, images([0, 6, 3]))
    expected = torch.tensor([[by_hand(chance, ones) for chance in CHANCES] for ones in (0, 6, 3)])
    assert torch.allclose(found.log_likelihoods, expected.double())
    assert found.log_likelihoods.dtype == torch.float64
    assert torch.allclose(found.posterior, expected.double().softmax(1))
    assert found.predicted.tolist() == [0, 2, 1]
    assert found.runner_up.tolist()[:2] == [1, 1]
    assert torch.equal(found.probability, found.posterior.max(1).values)


@pytest.mark.parametrize("batch", [1, 2, 4, 7, 100])
def test_any_batch_gives_the_same_and_none_is_larger(model, batch):
    levels = images([0, 1, 2, 3, 4, 5, 6])
    found = classify_levels(model, levels, Question(batch=batch))
    assert max(model.passes) <= batch
    assert torch.equal(found.log_likelihoods, classify_levels(model, levels).log_likelihoods)


def test_prior_and_calibration_enter_the_posterior_alone(model):
    levels = images([3, 5])
    plain = classify_levels(model, levels)
    model.prior = (7.0, 2.0, 1.0)
    model.calibration = Calibration(temperature=3.0, offsets=(0.0, -1.0, 1.0))
    found = classify_levels(model, levels)
    assert torch.equal(found.log_likelihoods, plain.log_likelihoods)
    given = torch.tensor([0.7, 0.2, 0.1]).double().log()
    logits = plain.log_likelihoods / 3 + torch.tensor([0.0, -1.0, 1.0]) + given
    assert torch.allclose(found.posterior, logits.softmax(1))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 40.0])
def test_a_prior_shifts_the_log_odds_by_its_own_whatever_the_temperature(model, temperature):
    model.calibration = Calibration(temperature, (0.3, -0.3, 0.0))

    def log_odds(prior):
        weights = None if prior is None else prior_weights(prior, model)
        chances = classify_levels(model, images([3, 5, 0]), prior=weights).posterior.log()
        return chances[:, 0] - chances[:, 1]

    shift = log_odds({"dark": 10, "grey": 1, "light": 1}) - log_odds(None)
    assert torch.allclose(shift, torch.full_like(shift, log(10)))


def test_answers_are_read_as_names(model):
    found = classify_levels(model, images([0, 6]))
    assert found.predicted_names == ["dark", "light"]
    assert found.runner_up_names == ["grey", "grey"]
    assert classify_levels(BernoulliModel([0.5], ("only",)), images([2])).runner_up_names == [""]


def test_of_two_classes_that_are_alike_each_is_named_once():
    found = classify_levels(BernoulliModel([0.5, 0.5, 0.5], NAMES), images([2]))
    assert {int(found.predicted), int(found.runner_up)} == {0, 1}


def test_the_model_is_left_in_its_mode(model):
    model.train()
    classify_levels(model, images([1]))
    assert model.training


def test_the_csv_keeps_the_order_and_says_what_is_known(model, tmp_path):
    found = classify_levels(model, images([6, 0, 3]))
    found.write_csv(tmp_path / "predictions.csv", ["b, c.png", "a.png", "d.png"], torch.tensor([2, -1, 0]))
    rows = list(csv.DictReader((tmp_path / "predictions.csv").open(newline="")))
    assert ",".join(rows[0]) == "path,true,predicted,name,probability,runner_up,log_likelihood_nats"
    assert [row["path"] for row in rows] == ["b, c.png", "a.png", "d.png"]
    assert [row["true"] for row in rows] == ["2", "", "0"]
    assert [row["predicted"] for row in rows] == ["2", "0", "1"]
    assert [row["name"] for row in rows] == ["light", "dark", "grey"]
    assert rows[0]["runner_up"] == "1"
    assert float(rows[0]["probability"]) == pytest.approx(float(found.probability[0]))
    assert float(rows[0]["log_likelihood_nats"]) == pytest.approx(by_hand(0.9, 6), abs=1e-6)


def test_the_logits_are_log_likelihoods_in_float64(model, tmp_path):
    found = classify_levels(model, images([6, 0]))
    found.write_logits(tmp_path / "logits.npy")
    written = np.load(tmp_path / "logits.npy")
    assert written.dtype == np.float64
    assert np.array_equal(written, found.log_likelihoods.numpy())


def test_one_class_has_no_runner_up(tmp_path):
    found = classify_levels(BernoulliModel([0.5], ("only",)), images([2]))
    assert next(found.rows(["x.png"]))[2:6] == ("0", "only", "1", "")


def test_no_images_give_an_empty_answer(model):
    assert classify_levels(model, images([1])[:0]).posterior.shape == (0, 3)


def test_a_likelihood_that_is_no_number_is_no_answer(model, monkeypatch):
    def some_lost(levels, classes=None, views=None):
        maps = torch.full((3, 3, 2, 3), -1.0)
        maps[1, 2] = torch.nan
        return maps

    monkeypatch.setattr(model, "class_log_prob_maps", some_lost)
    with pytest.raises(UserError, match=r"of 1 of 3 images is no number, that of image 1 first"):
        classify_levels(model, images([0, 1, 0]))


def test_a_model_without_classes_cannot_classify():
    with pytest.raises(UserError, match="without classes"):
        classify_levels(BernoulliModel([0.5], ()), images([1]))
