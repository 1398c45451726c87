import pytest
import torch

import pixelbayes as pb
from pixelbayes.model import Calibration, from_spec, spec


@pytest.fixture
def model() -> pb.AutoregressiveImageModel:
    torch.manual_seed(0)
    return pb.create("digits", classes=["a", "b", "c"], filters=2)


@pytest.fixture
def levels() -> torch.Tensor:
    return torch.randint(17, (4, 1, 8, 8), generator=torch.Generator().manual_seed(1)).to(torch.uint8)


def test_the_joint_is_likelihood_times_prior(model, levels) -> None:
    nats = model.log_likelihoods(levels)
    assert nats.dtype == torch.float64
    uniform = torch.full((3,), 1 / 3, dtype=torch.float64).log()
    torch.testing.assert_close(model.log_joint(levels), nats + uniform)
    model.prior = (7.0, 2.0, 1.0)
    given = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64).log()
    torch.testing.assert_close(model.log_joint(levels), nats + given)
    torch.testing.assert_close(model.log_likelihoods(levels), nats)


def test_classifying_and_evaluating_use_the_same_prior(model, levels) -> None:
    model.prior = (1e-9, 1.0, 1e-9)
    found = pb.classify(model, levels)
    assert found.predicted.tolist() == model.log_joint(levels).argmax(1).tolist()
    images = pb.ImageSet(levels, torch.tensor([0, 1, 2, -1]), list("wxyz"), model.classes, model.shape)
    metrics = pb.evaluate(model, images, progress=False)
    marginal = pb.bits_per_dim(model.log_joint(levels).logsumexp(1), model.shape)
    assert metrics.marginal_bits_per_dim == pytest.approx(marginal)


@pytest.mark.parametrize("prior", [(1.0, 2.0), (1.0, -1.0, 1.0), (0.0, 0.0, 0.0), (1.0, float("nan"), 1.0)])
def test_a_prior_that_is_none_is_refused(model, levels, prior) -> None:
    model.prior = prior
    with pytest.raises(pb.UserError, match="a prior needs a weight"):
        model.log_joint(levels)


def test_a_class_that_cannot_be_is_never_the_answer(model, levels) -> None:
    model.prior = (0.0, 1.0, 1.0)
    posterior = pb.classify(model, levels).posterior
    assert (posterior[:, 0] == 0).all()
    torch.testing.assert_close(posterior.sum(1), torch.ones(4, dtype=torch.float64))


def test_calibration_softens_and_shifts() -> None:
    joint = torch.tensor([[-700.0, -710.0]])
    plain = Calibration().posterior(joint)
    soft = Calibration(10.0).posterior(joint)
    torch.testing.assert_close(soft[0, 0] / soft[0, 1], torch.tensor(1.0).double().exp())
    assert plain[0, 0] > soft[0, 0]
    shifted = Calibration(10.0, (-2.0, 0.0)).posterior(joint)
    assert shifted[0].argmax() == 1
    assert shifted.dtype == torch.float64


def test_the_map_sums_to_the_likelihood(model, levels) -> None:
    labels = torch.tensor([0, 1, 2, 0])
    each = model.log_prob_map(levels, labels)
    assert each.shape == (4, 8, 8)
    torch.testing.assert_close(each.double().sum((1, 2)), model.log_prob(levels, labels))


@pytest.mark.parametrize(
    ("levels", "labels", "wanted"),
    [
        (torch.zeros(1, 1, 8, 8), [0], "integer levels"),
        (torch.zeros(1, 8, 8, dtype=torch.uint8), [0], "integer levels"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), [0], r"1 channel\(s\), not 3"),
        (torch.full((1, 1, 8, 8), 17, dtype=torch.uint8), [0], r"0\.\.16"),
        (torch.zeros(1, 1, 8, 8, dtype=torch.uint8), None, "needs a label"),
        (torch.zeros(1, 1, 8, 8, dtype=torch.uint8), [0, 1], "1 images need 1 labels"),
        (torch.zeros(1, 1, 8, 8, dtype=torch.uint8), [3], r"labels must lie in 0\.\.2"),
        (torch.zeros(1, 1, 8, 8, dtype=torch.uint8), [-1], "unknown ones have no likelihood"),
    ],
)
def test_what_does_not_fit_is_refused(model, levels, labels, wanted) -> None:
    with pytest.raises(pb.UserError, match=wanted):
        model.log_prob(levels, labels)


def test_a_configuration_as_plain_data_comes_back(model) -> None:
    assert from_spec(spec(model.config)) == model.config
    changed = spec(model.config)
    changed["network"]["filtrs"] = 3
    with pytest.raises(pb.UserError, match="did you mean 'filters'"):
        from_spec(changed)
