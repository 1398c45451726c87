import pytest
from tests.stub_model import BernoulliModel

from pixelbayes.errors import UserError
from pixelbayes.records import DataRecord, ModelRecord
from pixelbayes.tasks.priors import prior_weights


@pytest.fixture
def model():
    return BernoulliModel([0.1, 0.5, 0.9], ("dark", "g=r,ey", "light"))


@pytest.mark.parametrize(
    ("prior", "weights"),
    [
        ("uniform", (1, 1, 1)),
        ("dark=2,g=r,ey=0.5,light=0", (2, 0.5, 0)),
        ("light=10,*=1", (1, 1, 10)),
        ({"dark": 3, "light": 1, "g=r,ey": 2}, (3, 2, 1)),
        ({"0": 3, "*": 1}, (3, 1, 1)),
        ([1, 2, 3], (1, 2, 3)),
    ],
)
def test_a_prior_is_a_weight_for_each_class(model, prior, weights):
    assert prior_weights(prior, model) == weights


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        ("dark=2", "no weight for g=r,ey, light"),
        ("dim=2,*=1", "unknown class 'dim'"),
        ("*=0", "sum to more than 0"),
        ("dark=-1,*=1", "the prior of 'dark' must be a number of 0 or more"),
        ("dark=nan,*=1", "must be a number"),
        ("dark=inf,*=1", "must be a number"),
        ("dark=1,dark=2,*=1", "names 'dark' twice"),
        ("dark=1,0=2,*=1", "names the class 'dark' twice"),
        ("dark", "is not understood"),
        ("", "is not understood"),
        ("dark=x,*=1", "is not understood|unknown class"),
        ([1, 2], "a weight for each of 3 classes, not 2"),
        ([0, 0, 0], "sum to more than 0"),
        ("training", "does not know how many"),
    ],
)
def test_a_prior_that_is_none_is_refused(model, prior, words):
    with pytest.raises(UserError, match=words):
        prior_weights(prior, model)


def test_the_trainings_counts_are_matched_by_name(model):
    model.record = ModelRecord(DataRecord(class_counts={"light": 5, "dark": 20, "g=r,ey": 75}))
    assert prior_weights("training", model) == (20, 75, 5)
