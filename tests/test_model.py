import numpy as np
import pytest
import torch

import pixelbayes as pb


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


def test_the_map_sums_to_the_likelihood(model, levels) -> None:
    labels = torch.tensor([0, 1, 2, 0])
    each = model.log_prob_map(levels, labels)
    assert each.shape == (4, 8, 8)
    torch.testing.assert_close(each.double().sum((1, 2)), model.log_prob(levels, labels))


def test_of_many_images_the_graph_is_kept_piece_by_piece(model, levels, monkeypatch) -> None:
    labels = [0, 1, 2, 0]

    def gradients(images: int) -> tuple[torch.Tensor, list[torch.Tensor], int]:
        monkeypatch.setattr("pixelbayes.model.PIXELS_WITH_GRAPH", 64 * images)
        kept: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
            found = model.log_prob(levels, labels)
        return (
            found.detach(),
            list(torch.autograd.grad(found.sum(), list(model.parameters()), allow_unused=True)),
            sum(kept),
        )

    whole, each, all_of_it = gradients(4)
    pieces, same, few = gradients(1)
    torch.testing.assert_close(pieces, whole)
    torch.testing.assert_close(same, each, rtol=1e-3, atol=1e-4)
    assert few < all_of_it / 10


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.int64, np.uint64])
def test_arrays_are_as_good_as_tensors(model, levels, kind) -> None:
    array, labels = levels.numpy().astype(kind), np.array([0, 1, 2, 0], np.uint8)
    array.setflags(write=False)
    assert torch.equal(model.log_prob(array, labels), model.log_prob(levels, [0, 1, 2, 0]))
    assert torch.equal(
        model.log_prob(array[::-1], ["a", "c", "b", "a"]), model.log_prob(levels.flip(0), [0, 2, 1, 0])
    )
    assert torch.equal(model.log_joint(array), model.log_joint(levels))
    assert torch.equal(model.log_likelihoods(array.tolist()), model.log_likelihoods(levels))
    assert torch.equal(pb.classify(model, array).posterior, pb.classify(model, levels).posterior)


@pytest.mark.parametrize("make", [torch.Tensor.numpy, torch.clone], ids=["array", "tensor"])
def test_no_images_have_no_likelihoods(model, levels, make) -> None:
    none = make(levels[:0])
    for found, shape in (
        (model.log_prob(none, []), (0,)),
        (model.log_likelihoods(none), (0, 3)),
        (model.log_joint(none), (0, 3)),
        (pb.classify(model, none).posterior, (0, 3)),
    ):
        assert (found.shape, found.dtype) == (shape, torch.float64)
    assert model.log_prob_map(none, []).shape == (0, 8, 8)


@pytest.mark.parametrize(
    ("levels", "labels", "wanted"),
    [
        (torch.zeros(1, 1, 8, 8), [0], "integer levels"),
        (torch.zeros(8, 8, dtype=torch.uint8), [0], "integer levels"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), [0], r"1 channel\(s\), not 3"),
        (torch.full((1, 1, 8, 8), 17, dtype=torch.uint8), [0], r"0\.\.16"),
        (np.zeros((1, 1, 8, 8)), [0], "integer levels"),
        (np.zeros((1, 1, 8, 8), np.complex64), [0], "integer levels"),
        (np.full((1, 1, 8, 8), "a"), [0], "array of integer levels"),
        ([[0], [0, 1]], [0], "array of integer levels"),
        (None, [0], "integer levels, not NoneType"),
        (torch.zeros(1, 1, 8, 8, dtype=torch.uint8), [0.5], "whole numbers or names"),
        (torch.zeros(1, 1, 8, 8, dtype=torch.uint8), ["d"], "unknown class 'd'"),
        (torch.zeros(1, 1, 8, 8, dtype=torch.uint8), None, "needs a label"),
        (torch.zeros(1, 1, 8, 8, dtype=torch.uint8), [0, 1], "1 images need 1 labels"),
        (torch.zeros(1, 1, 8, 8, dtype=torch.uint8), [3], r"class 3 is outside 0\.\.2"),
        (torch.zeros(1, 1, 8, 8, dtype=torch.uint8), [-1], "unknown ones have no likelihood"),
    ],
)
def test_what_does_not_fit_is_refused(model, levels, labels, wanted) -> None:
    with pytest.raises(pb.UserError, match=wanted):
        model.log_prob(levels, labels)


def test_arrays_of_another_byte_order(model, levels) -> None:
    swapped = levels.numpy().astype(">i2")
    assert torch.equal(model.log_prob(swapped, [0, 1, 2, 0]), model.log_prob(levels, [0, 1, 2, 0]))


def test_empty_images_and_batches_are_refused(model, levels) -> None:
    with pytest.raises(pb.UserError, match="a height and a width of 1 or more"):
        model.log_prob(levels[:, :, :0], [0, 1, 2, 0])
    with pytest.raises(pb.UserError, match="batch must be 1 or more, not 0"):
        model.log_joint(levels, batch=0)
