"""The classifier within scikit-learn's own tools."""

import pickle
from pathlib import Path
from typing import Any

import joblib
import matplotlib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.calibration import CalibrationDisplay
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import (
    check_estimator_cloneable,
    check_estimator_repr,
    check_get_params_invariance,
    check_no_attributes_set_in_init,
    check_parameters_default_constructible,
    check_set_params,
    check_valid_tag_types,
)

import pixelbayes as pb

matplotlib.use("Agg")
SMALL: dict[str, Any] = {
    "recipe": "digits", "filters": 4, "resnets": 1, "scales": 1, "device": "cpu",
    "training.batch": 32, "training.precision": "32-true",
}  # fmt: skip
ONE_SPLIT = [(range(30), range(30, 40))]


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Zeros, ones and fours: (n, 8, 8) as floats that are whole, as scikit-learn gives them."""
    found = load_digits()
    chosen = np.isin(found.target, (0, 1, 4))
    return found.images[chosen][:150], found.target[chosen][:150]


@pytest.fixture(scope="module")
def fitted(digits: tuple[np.ndarray, np.ndarray]) -> pb.PixelBayesClassifier:
    return pb.PixelBayesClassifier(max_steps=40, levels=17, **SMALL).fit(*digits)


def test_it_learns_and_its_answers_hang_together(fitted: Any, digits: Any) -> None:
    images, labels = digits
    answers, probabilities = fitted.predict(images[:50]), fitted.predict_proba(images[:50])
    assert fitted.classes_.tolist() == [0, 1, 4]
    assert set(answers) <= {0, 1, 4}
    assert fitted.score(images[:50], labels[:50]) == np.mean(answers == labels[:50]) > 0.6
    assert probabilities.shape == (50, 3)
    assert np.allclose(probabilities.sum(1), 1)
    assert np.array_equal(fitted.classes_[probabilities.argmax(1)], answers)
    assert np.allclose(np.exp(fitted.predict_log_proba(images[:50])), probabilities)


def test_it_is_the_model_itself(fitted: Any, digits: Any) -> None:
    levels = torch.tensor(digits[0][:6]).to(torch.uint8)[:, None]
    nats = torch.stack([fitted.model_.log_prob(levels, torch.full((6,), c)) for c in range(3)], 1)
    wanted = torch.logsumexp(nats.detach(), 1) - np.log(3)
    assert fitted.score_samples(digits[0][:6]) == pytest.approx(wanted.numpy(), abs=1e-3)


def test_samples_look_as_the_images_given(fitted: Any) -> None:
    drawn = fitted.sample(4, n=3, seed=1)
    assert drawn.shape == (3, 8, 8)
    assert drawn.max() <= 16
    assert np.array_equal(drawn, fitted.sample(4, n=3, seed=1))
    assert fitted.sample(n=2).shape == (2, 8, 8)
    with pytest.raises(ValueError, match="no class 7"):
        fitted.sample(7)


def test_it_survives_pickle_and_joblib(fitted: Any, digits: Any, tmp_path: Path) -> None:
    wanted = fitted.predict_proba(digits[0][:5])
    joblib.dump(fitted, tmp_path / "model.joblib")
    for again in (pickle.loads(pickle.dumps(fitted)), joblib.load(tmp_path / "model.joblib")):
        assert np.allclose(again.predict_proba(digits[0][:5]), wanted)
        assert again.get_params() == fitted.get_params()


def test_a_clone_has_the_same_parameters_and_no_model(fitted: Any) -> None:
    other = clone(fitted)
    assert other.get_params() == fitted.get_params()
    assert other.get_params()["filters"] == 4
    with pytest.raises(NotFittedError):
        other.predict(np.zeros((1, 8, 8)))


def test_parameters_are_set_and_unknown_ones_refused() -> None:
    chosen = pb.PixelBayesClassifier("digits", max_steps=2)
    assert chosen.set_params(filters=8, max_steps=3, **{"training.batch": 4}).get_params()["filters"] == 8
    assert chosen.max_steps == 3
    with pytest.raises(ValueError, match="did you mean 'filters'"):
        chosen.set_params(filtres=8)
    with pytest.raises(ValueError, match="unknown parameter"):
        pb.PixelBayesClassifier(nonsense=1)
    with pytest.raises(ValueError, match="resize or convert"):
        pb.PixelBayesClassifier(size=16)


@pytest.mark.parametrize(
    "check",
    [
        check_no_attributes_set_in_init,
        check_parameters_default_constructible,
        check_valid_tag_types,
        check_estimator_cloneable,
        check_estimator_repr,
        check_get_params_invariance,
        check_set_params,
    ],
)
def test_scikit_learns_own_checks(check: Any) -> None:
    check("PixelBayesClassifier", pb.PixelBayesClassifier())


def test_texts_flat_rows_and_whole_pipelines(digits: Any) -> None:
    images, labels = digits[0].reshape(-1, 64), np.array(["zero", "one", "", "", "four"], object)[digits[1]]
    model = pb.PixelBayesClassifier(max_steps=1, image_shape=(8, 8), **SMALL)
    both = make_pipeline(FunctionTransformer(np.round), model)
    scores = cross_val_score(both, images[:40], labels[:40], cv=ONE_SPLIT, error_score="raise")
    assert scores.shape == (1,)
    both.fit(images[:40], labels[:40])
    assert set(both.predict(images[:9])) <= {"zero", "one", "four"}
    assert both[-1].n_features_in_ == 64
    assert both[-1].sample("four", 2).shape == (2, 64)


def test_a_grid_of_the_recipes_fields(digits: Any) -> None:
    grid = GridSearchCV(
        pb.PixelBayesClassifier(max_steps=1, **SMALL), {"filters": [2, 3]}, cv=ONE_SPLIT, error_score="raise"
    )
    grid.fit(digits[0][:40], digits[1][:40])
    assert grid.best_params_["filters"] in (2, 3)
    assert grid.best_estimator_.model_.config.network.filters == grid.best_params_["filters"]


def test_two_classes_of_any_numbers_and_their_calibration(digits: Any) -> None:
    images, labels = digits[0][digits[1] < 4][:60], np.where(digits[1][digits[1] < 4][:60] == 0, -1, 1)
    model = pb.PixelBayesClassifier(max_steps=1, **SMALL).fit(images, labels)
    assert model.classes_.tolist() == [-1, 1]
    shown = CalibrationDisplay.from_estimator(model, images, labels, n_bins=3)
    assert len(shown.prob_true) >= 1


def test_a_folder_is_kept_where_it_is_named_and_none_is_overwritten(digits: Any, tmp_path: Path) -> None:
    model = pb.PixelBayesClassifier(max_steps=1, out=tmp_path / "run", **SMALL)
    first = model.fit(digits[0][:40], digits[1][:40]).run_
    second = model.fit(digits[0][:40], digits[1][:40]).run_
    assert (first, second) == (str(tmp_path / "run"), str(tmp_path / "run-001"))
    assert pb.load(first).classes.names == pb.load(second).classes.names == ("0", "1", "4")


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (np.full((4, 8, 8), 0.5), [0, 1, 0, 1], "fractions"),
        (np.full((4, 8, 8), -1), [0, 1, 0, 1], "negative values"),
        (np.full((4, 8, 8), np.nan), [0, 1, 0, 1], "NaN"),
        (np.zeros((4, 8, 8)), [0, 0, 0, 0], "two classes"),
        (np.zeros((4, 8, 8)), [0, 1], "inconsistent numbers"),
        (np.zeros((4, 8, 8, 2)), [0, 1, 0, 1], "image_shape"),
        (np.zeros((4, 63)), [0, 1, 0, 1], "no square images"),
        (np.zeros((4, 8, 8)), [0.5, 0.1, 0.2, 0.3], "Unknown label type"),
        (np.full((4, 8, 8), 20), [0, 1, 0, 1], "levels=17 are 0 to 16"),
    ],
)
def test_what_is_no_image_or_no_class_is_refused(images: Any, labels: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        pb.PixelBayesClassifier(levels=17, max_steps=1).fit(images, labels)


def test_other_images_than_those_of_fit_are_refused(fitted: Any) -> None:
    with pytest.raises(ValueError, match="those of fit were"):
        fitted.predict(np.zeros((2, 7, 8)))
    with pytest.raises(ValueError, match="knows 17 levels"):
        fitted.predict(np.full((2, 8, 8), 17))
