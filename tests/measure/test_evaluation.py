import json
from math import exp, log

import pytest
import torch
from tests.stub_model import BernoulliModel, by_hand, images

from pixelbayes.data import ImageSet
from pixelbayes.errors import UserError
from pixelbayes.measure import evaluate_set
from pixelbayes.posterior import Calibration


def image_set(model, ones, labels):
    paths = [f"{index}.png" for index in range(len(ones))]
    return ImageSet(images(ones), torch.tensor(labels), paths, model.classes, model.shape)


@pytest.fixture
def model():
    return BernoulliModel([0.2, 0.8], ("dark", "light"))


def test_likelihood_and_accuracy_come_from_one_pass(model):
    found = evaluate_set(model, image_set(model, [0, 6, 5, 1], [0, 1, 0, 0]), progress=False)
    assert model.passes == [8]  # four images in two classes
    own = [by_hand(0.2, 0), by_hand(0.8, 6), by_hand(0.2, 5), by_hand(0.2, 1)]
    assert found.bits_per_dim == pytest.approx(-sum(own) / 4 / 6 / log(2))
    assert found.accuracy == 0.75
    assert found.balanced_accuracy == pytest.approx((2 / 3 + 1) / 2)
    assert found.confusion == [[2, 1], [0, 1]]


def test_images_of_unknown_class_count_in_the_marginal_alone(model):
    found = evaluate_set(model, image_set(model, [0, 6], [0, -1]), progress=False)
    assert (found.images, found.labelled) == (2, 1)
    assert found.bits_per_dim == pytest.approx(-by_hand(0.2, 0) / 6 / log(2))
    mixture = [log((exp(by_hand(0.2, ones)) + exp(by_hand(0.8, ones))) / 2) for ones in (0, 6)]
    assert found.marginal_bits_per_dim == pytest.approx(-sum(mixture) / 2 / 6 / log(2))


def test_nothing_known_is_null_in_the_json(model, tmp_path):
    found = evaluate_set(model, image_set(model, [0, 6], [-1, -1]), progress=False)
    found.to_json(tmp_path / "metrics.json")
    read = json.loads((tmp_path / "metrics.json").read_text())
    assert read["images"] == 2
    assert read["bits_per_dim"] is None
    assert read["accuracy"] is None


def test_calibrated_scores_stand_beside_the_uncalibrated(model):
    images = image_set(model, [2, 2, 1, 6], [0, 1, 0, 1])
    model.calibration = Calibration(temperature=1.0, offsets=(-2.0, 2.0))
    found = json.loads(evaluate_set(model, images, progress=False).to_json())
    assert found["classes"] == ["dark", "light"]
    assert found["uncalibrated"]["accuracy"] == 0.75
    assert found["accuracy"] == 0.75
    assert found["log_loss"] != found["uncalibrated"]["log_loss"]
    assert {"balanced_accuracy", "macro_f1", "calibration_error", "confusion"} <= set(found)


def test_a_model_without_classes_has_a_likelihood(model):
    plain = BernoulliModel([0.2], ())
    found = evaluate_set(plain, image_set(plain, [0, 3], [-1, -1]), progress=False)
    assert found.bits_per_dim == pytest.approx(-(by_hand(0.2, 0) + by_hand(0.2, 3)) / 2 / 6 / log(2))
    assert found.accuracy is None


def test_no_images_is_an_error(model):
    with pytest.raises(UserError, match="no images"):
        evaluate_set(model, image_set(model, [1], [0])[:0], progress=False)
