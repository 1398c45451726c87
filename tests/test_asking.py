"""What is asked of a model in Python: one rule for labels and for layouts, and images prepared as in training."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import pixelbayes as pb
from pixelbayes.data.arrays import from_arrays
from pixelbayes.data.stacks import as_integers
from pixelbayes.distributions import Categorical

NUMBERS = tuple(str(number) for number in range(1, 11))


@pytest.fixture(scope="module")
def model() -> pb.AutoregressiveImageModel:
    """Classes named 1 to 10, grey images of 8x8 pixels and 17 levels."""
    torch.manual_seed(0)
    found = pb.create("digits", classes=NUMBERS, filters=4)
    for parameter in found.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return found


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 17, (6, 8, 8)).astype(np.uint8)


def test_a_number_means_the_same_class_in_every_verb(model, images) -> None:
    numbers, names = [1, 7, 10, 2, 3, 4], ["1", "7", "10", "2", "3", "4"]
    for given in (numbers, np.array(numbers), np.array(numbers, float), torch.tensor(numbers)):
        assert torch.equal(pb.log_prob(model, images, given), pb.log_prob(model, images, names))
        assert torch.equal(pb.generate(model, given, seed=1), pb.generate(model, names, seed=1))
        assert pb.evaluate(model, images, given, progress=False) == pb.evaluate(
            model, images, names, progress=False
        )
    assert torch.equal(model.log_prob(images, numbers), model.log_prob(images, names))
    assert from_arrays(images, numbers).classes.names == ("1", "2", "3", "4", "7", "10")
    with pytest.raises(pb.UserError, match="no class is named 0"):
        pb.generate(model, [0])


def test_labels_may_be_truths_and_may_be_unknown(images) -> None:
    model = pb.create("digits", classes=("False", "True"), filters=2)
    truths = np.array([True, False, True, True, False, False])
    assert torch.equal(pb.log_prob(model, images, truths), pb.log_prob(model, images, truths.astype(int)))
    found = pb.evaluate(model, images, [True, None, float("nan"), -1, "", False], progress=False)
    assert (found.images, found.labelled) == (6, 2)


def test_files_are_asked_of_as_on_the_command_line(model, images, tmp_path) -> None:
    files = [tmp_path / f"{row}.npy" for row in range(len(images))]
    for file, image in zip(files, images, strict=True):
        np.save(file, image * 15)
    wanted = pb.classify(model, images * 15).log_likelihoods
    nats = pb.log_prob(model, images * 15, NUMBERS[:6])
    for given in (files, tuple(map(str, files)), tmp_path, str(tmp_path / "*.npy")):
        assert torch.equal(pb.classify(model, given).log_likelihoods, wanted)
        assert torch.equal(pb.log_prob(model, given, NUMBERS[:6]), nats)
    judged = pb.evaluate(model, files, NUMBERS[:6], progress=False)
    assert judged == pb.evaluate(model, images * 15, NUMBERS[:6], progress=False)
    assert torch.equal(pb.explain(model, files).maps, pb.explain(model, images * 15).maps)
    with pytest.raises(pb.UserError, match="no such file"):
        pb.classify(model, tmp_path / "none.png")


def test_every_verb_takes_every_layout(model, images) -> None:
    wanted = pb.log_prob(model, images, NUMBERS[:6])
    forms = (
        images[:, None],
        images[..., None],
        torch.tensor(images),
        torch.tensor(images)[..., None],
        list(images),
    )
    for form in forms:
        assert torch.equal(pb.log_prob(model, form, NUMBERS[:6]), wanted)
        assert torch.equal(pb.classify(model, form).posterior, pb.classify(model, images).posterior)
        assert pb.evaluate(model, form, NUMBERS[:6], progress=False).images == 6
    for form in (images, images[..., None]):
        torch.testing.assert_close(model.log_prob(form, NUMBERS[:6]), wanted, rtol=0, atol=1e-4)


def test_sizes_and_levels_become_those_of_the_training(model, images, capsys) -> None:
    flat, large = (
        np.stack([np.full((side, side), level, np.uint8) for level in (3, 16)]) for side in (8, 16)
    )
    wanted = pb.classify(model, flat).log_likelihoods
    assert torch.equal(pb.classify(model, large).log_likelihoods, wanted)
    assert "16x16, and made 8x8" in capsys.readouterr().err
    wanted = pb.classify(model, images).log_likelihoods
    eight_bit = np.floor(images * (255 / 16) + 0.5).astype(np.uint8)
    for form in (
        eight_bit,
        images / 16,
        images / 8 - 1,
        images.astype(np.float64),
        eight_bit / np.float32(255),
    ):
        assert torch.equal(pb.classify(model, form).log_likelihoods, wanted)
    with pytest.raises(pb.UserError, match=r"\(x \* 255\)\.round"):
        pb.classify(model, np.full((1, 8, 8), 0.3333))


def test_images_of_several_sizes_are_one_line(model) -> None:
    for odd in ([[0], [0, 1]], [np.zeros((2, 2)), np.zeros((3, 3))]):
        with pytest.raises(pb.UserError, match="differ in size"):
            pb.classify(model, odd)


def test_colour_is_made_grey_and_grey_is_no_colour(model, images, capsys) -> None:
    colour = images[..., None].repeat(3, 3)
    assert torch.equal(pb.classify(model, colour).posterior, pb.classify(model, images).posterior)
    assert "made grey" in capsys.readouterr().err
    with pytest.raises(pb.UserError, match="takes colour images"):
        pb.classify(pb.create("cpen455-small", filters=2), np.zeros((1, 32, 32), np.uint8))


@pytest.mark.parametrize(
    ("values", "levels", "wanted"),
    [
        ([0.0, 1.0], None, [0, 255]),
        ([0.0, 1.0], 2, [0, 1]),
        ([-1.0, 1.0], None, [0, 255]),
        ([0.0, 16.0], None, [0, 16]),
        ([-1.0, -1 + 2 * 7 / 255], None, [0, 7]),
        ([0.0, 100 / 255], None, [0, 100]),
    ],
)
def test_floats_become_the_integers_that_they_were(values, levels, wanted) -> None:
    assert as_integers(np.array(values, np.float32), levels, "x").values.tolist() == wanted


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([0.0, 0.123], r"\(x \* 255\)"),
        ([-0.5, 0.123], r"\(\(x \+ 1\) \* 127\.5\)"),
        ([3 / 255, 101 / 255], "where -1 is black"),  # of either range
        ([0.5, 200.25], "where 255 is white"),
        ([-3.0, 3.0], "from -3 to 3"),
        ([0.0, float("nan")], "not finite"),
    ],
)
def test_floats_that_may_be_anything_are_refused_with_advice(values, wanted) -> None:
    with pytest.raises(pb.UserError, match=wanted):
        as_integers(np.array(values, np.float64), None, "x")


def test_torch_sets_are_data(images, tmp_path) -> None:
    scaled = torch.tensor(images / 16).float()[:, None]
    pairs = TensorDataset(scaled, torch.tensor([1, 2, 3, 1, 2, 3]))
    sizes = {"network.filters": 2, "network.scales": 1, "training.batch": 2, "data.levels": 17}
    found = []
    for name, data in (("set", pairs), ("loader", DataLoader(pairs, batch_size=4))):
        model = pb.train(data, max_steps=1, device="cpu", out=tmp_path / name, seed=1, **sizes)
        assert model.classes.names == ("1", "2", "3")
        found.append(pb.evaluate(model, data, progress=False))
        assert torch.equal(pb.classify(model, data).posterior, pb.classify(model, images).posterior)
    assert found[0] == found[1]
    assert found[0].labelled == 6
    with pytest.raises(pb.UserError, match="differ in size"):
        pb.train(Uneven())


class Uneven(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.zeros(1, 2 + index, 2), index


def test_a_model_is_called_as_any_module(model, images) -> None:
    levels = torch.tensor(images)[:, None]
    assert torch.equal(model(levels, [1] * 6), model.log_prob(levels, [1] * 6))
    assert torch.allclose(model(levels), model.log_likelihoods(levels), atol=1e-3)
    model(levels).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    model.zero_grad()
    seen = []
    handle = model.register_forward_hook(lambda module, given, answer: seen.append(answer.shape))
    model(levels[:2])
    handle.remove()
    assert seen == [(2, 10)]


def test_answers_keep_no_graph_and_are_ordinary_tensors(model, images) -> None:
    levels = torch.tensor(images)[:, None]
    whole = model.log_prob(levels, NUMBERS[:6])
    assert whole.requires_grad
    for part in (
        model.log_prob(levels, NUMBERS[:6], batch=4),
        pb.log_prob(model, images, NUMBERS[:6], batch=4),
    ):
        assert not part.requires_grad
        assert torch.allclose(part, whole.detach(), atol=1e-3)
    answers = (
        pb.log_prob(model, images, NUMBERS[:6]),
        pb.classify(model, images).posterior,
        pb.generate(model, [1]).double(),
        model.log_likelihoods(levels),
    )
    for answer in answers:
        assert not answer.is_inference()
        answer.numpy()
        (answer.requires_grad_() ** 2).sum().backward()


def test_a_model_without_classes_takes_no_labels(images) -> None:
    plain = pb.create("digits", classes=(), filters=2)
    for ask in (
        lambda: pb.generate(plain, [0, 1]),
        lambda: pb.log_prob(plain, images, [0] * 6),
        lambda: plain.log_prob(images, [0] * 6),
        lambda: pb.evaluate(plain, images, [0] * 6, progress=False),
    ):
        with pytest.raises(pb.UserError, match="no classes"):
            ask()


def test_temperature_0_is_greedy(model) -> None:
    first, other = (pb.generate(model, ["1", "2"], temperature=0, seed=seed) for seed in (0, 1))
    assert torch.equal(first, other)
    with pytest.raises(pb.UserError, match="temperature"):
        pb.generate(model, ["1"], temperature=-0.5)


def test_minus_one_says_unknown(images) -> None:
    with pytest.raises(pb.UserError, match="use 0 and 1, or names"):
        from_arrays(images, [-1, 1, -1, 1, -1, 1])
    assert any("all labels are -1" in notice for notice in from_arrays(images, [-1] * 6).notices)


def test_independent_colours_are_said(tmp_path, capsys) -> None:
    colour = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 3)).astype(np.uint8)
    recipe = pb.load_recipe("cpen455-small")
    settings = {
        "data.levels": 4,
        "data.size": 4,
        "network.filters": 2,
        "network.resnets": 1,
        "network.scales": 1,
    }
    flat = replace(recipe, distribution=Categorical())
    pb.train(colour, recipe=flat, out=tmp_path, max_steps=1, device="cpu", **settings)
    assert "independent of each other" in capsys.readouterr().err


def test_labels_in_every_form_mean_the_same_in_every_verb(model, images) -> None:
    words = np.array(NUMBERS[:6])
    wanted = pb.log_prob(model, images, words)
    one_hot, digits = np.eye(10)[:6], pb.create("digits", filters=2)
    assert torch.equal(pb.log_prob(digits, images, one_hot), pb.log_prob(digits, images, range(6)))
    objects = np.array([*map(float, words[:5]), None], object)
    for given in (words[:, None], torch.tensor([[int(word)] for word in words]), words.astype("S")):
        assert torch.equal(pb.log_prob(model, images, given), wanted)
        assert pb.evaluate(model, images, given, progress=False).labelled == 6
        assert from_arrays(images, given).train is not None
    assert (
        from_arrays(images, objects, config=pb.data.DataConfig(validation_share=0)).classes.names
        == NUMBERS[:5]
    )
    assert pb.evaluate(model, images, objects, progress=False).labelled == 5
    for wrong in ([[1, 2], [3]], one_hot * 2, [np.inf] * 6):
        with pytest.raises(pb.UserError):
            from_arrays(images, wrong)
        with pytest.raises(pb.UserError):
            pb.evaluate(model, images, wrong, progress=False)


def test_a_model_without_classes_is_asked_of_whatever_has_some() -> None:
    model = pb.create("digits", classes=(), filters=2)
    digits = pb.open_dataset("digits").validation[:4]
    assert torch.equal(pb.log_prob(model, digits), pb.log_prob(model, digits.levels))
    with pytest.raises(pb.UserError, match="it takes no labels"):
        pb.log_prob(model, digits, [1, 2, 3, 4])


def test_what_is_no_image_is_named(model, tmp_path) -> None:
    for wrong in (None, tmp_path.glob("*.png"), 5):
        with pytest.raises(
            pb.UserError,
            match="images must be files, a data set, an array or a tensor of integer levels, not",
        ):
            pb.classify(model, wrong)
