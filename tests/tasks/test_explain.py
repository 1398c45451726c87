"""Evidence maps: what they sum to, whom they speak for, and what they do not depend on."""

import csv
from math import log

import numpy as np
import pytest
import torch
from tests.test_laws import DISTRIBUTIONS, NETWORKS, SHAPES, images, make

from pixelbayes.errors import UserError
from pixelbayes.posterior import Calibration
from pixelbayes.tasks.classify import classify_levels
from pixelbayes.tasks.explain import choose, explain


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[1]], ids=str)
def test_maps_sum_to_the_log_odds_of_the_answer_on_every_network(network, shape):
    model = make(network, shape)
    levels, _ = images(model, 3)
    found, answer = explain(model, levels), classify_levels(model, levels)
    assert found.maps.dtype == torch.float64
    assert torch.equal(found.chosen, answer.predicted)
    assert torch.equal(found.rivals, answer.runner_up)
    nats = answer.log_likelihoods
    odds = nats.gather(1, answer.predicted[:, None]) - nats.gather(1, answer.runner_up[:, None])
    assert torch.equal(found.maps.sum((1, 2)), found.log_odds)
    assert torch.allclose(found.log_odds, odds[:, 0], atol=1e-8)
    assert torch.equal(found.posterior, answer.posterior) or torch.allclose(found.posterior, answer.posterior)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS[1:], ids=lambda each: type(each).__name__)
def test_a_map_is_the_difference_of_two_maps_of_log_probabilities(distribution):
    model = make("pixelcnn", SHAPES[2], distribution=distribution)
    levels, _ = images(model, 4)
    found = explain(model, levels, of="b", against="c")
    own, rival = (model.log_prob_map(levels, torch.full((4,), index)).double() for index in (1, 2))
    assert torch.allclose(found.maps, own - rival)


def test_the_evidence_of_one_class_against_another_is_the_reverse_with_the_sign_changed():
    model = make("gated_pixelcnn", SHAPES[1])
    levels, _ = images(model, 3)
    there, back = explain(model, levels, of=0, against=2), explain(model, levels, of=2, against=0)
    assert torch.equal(there.maps, -back.maps)
    assert torch.allclose(
        there.probability + back.probability + there.posterior[:, 1], torch.ones(3).double()
    )


def test_evidence_does_not_depend_on_the_batch_or_on_the_other_images():
    model = make("pixelcnn_pp", SHAPES[0])
    levels, _ = images(model, 5)
    whole = explain(model, levels)
    for batch in (1, 4, 7):
        assert torch.allclose(explain(model, levels, batch=batch).maps, whole.maps, atol=1e-9)
    assert torch.allclose(explain(model, levels[3:4]).maps, whole.maps[3:4], atol=1e-9)


def test_temperature_changes_how_sure_it_is_and_not_the_evidence():
    model = make("pixelcnn", SHAPES[0])
    levels, _ = images(model, 3)
    plain = explain(model, levels)
    model.calibration = Calibration(50.0, (0.0, 0.0, 0.0))
    calm = explain(model, levels)
    assert torch.equal(plain.maps, calm.maps)
    assert bool((calm.probability < plain.probability).all())


def test_the_class_and_its_rival_worked_out_by_hand():
    posterior = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    assert choose(posterior, None, None).tolist() == [[0, 1], [2, 1]]
    assert choose(posterior, 1, None).tolist() == [[1, 0], [1, 2]]
    assert choose(posterior, None, 0).tolist() == [
        [1, 0],
        [2, 0],
    ]  # the first is most probably the rival itself
    assert choose(posterior, 2, 0).tolist() == [[2, 0], [2, 0]]


def test_the_table_names_classes_and_gives_both_units(tmp_path):
    model = make("pixelcnn", SHAPES[2])
    levels, _ = images(model, 2)
    found = explain(model, levels, of="a", against="b")
    found.write_csv(tmp_path / "evidence.csv", ["one.png", "two.png"], torch.tensor([-1, 2]))
    with (tmp_path / "evidence.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["true"], row["class"], row["rival"]) for row in rows] == [("", "a", "b"), ("c", "a", "b")]
    nats = [float(row["log_odds_nats"]) for row in rows]
    assert nats == pytest.approx(found.log_odds.tolist(), abs=1e-5)
    assert [float(row["log_odds_bits"]) * log(2) for row in rows] == pytest.approx(nats, abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"of": "cat"}, "unknown class 'cat'"),
        ({"against": 7}, "outside 0..2"),
        ({"of": "a", "against": 0}, "against itself"),
        ({"batch": 0}, "batch must be 1"),
    ],
)
def test_bad_questions_are_refused(arguments, words):
    model = make("pixelcnn", SHAPES[2])
    with pytest.raises(UserError, match=words):
        explain(model, images(model)[0], **arguments)


@pytest.mark.parametrize(("classes", "words"), [(0, "without classes"), (1, "for one class alone")])
def test_without_a_rival_there_is_no_evidence(classes, words):
    model = make("pixelcnn", SHAPES[2], classes=classes)
    with pytest.raises(UserError, match=words):
        explain(model, np.zeros((1, 1, 1, 3), np.uint8))


def test_images_of_another_kind_are_refused():
    model = make("pixelcnn", SHAPES[0])
    with pytest.raises(UserError, match="3 channel"):
        explain(model, np.zeros((1, 1, 8, 8), np.uint8))
