"""The likelihood service: the same numbers in whatever chunks, for all classes or some, of all of an image or parts."""

import pytest
import torch
from tests.stub_model import BernoulliModel, images

import pixelbayes as pb
from pixelbayes.distributed import Shard
from pixelbayes.errors import UserError
from pixelbayes.likelihood import Question, collect, log_likelihoods, total
from pixelbayes.regions import pixel_weights

ALL = Question()


class Lazy:
    """Images that are made when they are asked for; it remembers how many at once."""

    def __init__(self, levels):
        self.levels, self.read = levels, []

    def __len__(self):
        return len(self.levels)

    @property
    def shape(self):
        return self.levels.shape

    def __getitem__(self, rows):
        self.read.append(len(self.levels[rows]))
        return self.levels[rows]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return pb.create("digits", classes=["a", "b", "c"], filters=4)


@pytest.fixture(scope="module")
def levels():
    return torch.randint(0, 17, (7, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def of(model, levels, question=ALL, width=3, **more):
    return collect(log_likelihoods(model, levels, question, **more), len(levels), width)


def one_by_one(model, levels):
    with torch.no_grad():
        labels = (torch.full((len(levels),), c) for c in range(3))
        return torch.stack([model.log_prob(levels, label) for label in labels], 1)


@pytest.mark.parametrize("batch", [None, 1, 2, 5, 21])
def test_chunks_give_what_one_class_at_a_time_gives(model, levels, batch):
    found = of(model, levels, Question(batch=batch))
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, one_by_one(model, levels), atol=1e-4, rtol=0)
    torch.testing.assert_close(model.log_likelihoods(levels, batch or 64), found, atol=1e-4, rtol=0)


def test_images_are_read_chunk_by_chunk_and_only_when_asked_for(model, levels):
    lazy = Lazy(levels)
    chunks = log_likelihoods(model, lazy, Question(batch=6))
    assert lazy.read == []
    rows, nats = next(chunks)
    assert (rows, nats.shape, lazy.read) == (range(2), (2, 3), [2])
    assert [rows for rows, _ in chunks] == [range(2, 4), range(4, 6), range(6, 7)]
    assert lazy.read == [2, 2, 2, 1]
    assert torch.equal(of(model, Lazy(levels)), of(model, levels))


def test_no_pass_is_larger_than_a_batch_however_many_classes_there_are():
    many = BernoulliModel([0.001 * (c + 1) for c in range(990)], tuple(map(str, range(990))))
    found = of(many, images([0, 3]), Question(batch=64), width=990)
    assert max(many.passes) <= 64
    assert torch.equal(found, of(many, images([0, 3]), width=990))


def test_shares_make_up_the_whole_and_are_the_same_numbers(model, levels):
    question = Question(batch=6)
    parts = [of(model, levels, question, shard=Shard(rank, 3)) for rank in range(3)]
    assert torch.equal(sum(parts), of(model, levels, question))
    assert [rows for rows, _ in log_likelihoods(model, levels, question, Shard(1, 3))] == [range(2, 4)]


def test_work_goes_on_at_a_chunk(model, levels):
    question = Question(batch=6)
    later = list(log_likelihoods(model, levels, question, start=4))
    assert [rows for rows, _ in later] == [range(4, 6), range(6, 7)]
    assert torch.equal(later[0][1], of(model, levels, question)[4:6])


def test_candidates_are_classes_of_each_image(model, levels):
    candidates = torch.tensor([[2, 0], [1, 2], [0, 1], [2, 1], [0, 2], [1, 0], [2, 0]])
    for batch in (None, 1, 3):
        found = of(model, levels, Question(candidates, batch=batch), width=2)
        expected = one_by_one(model, levels).gather(1, candidates)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    alike = of(model, levels, Question(candidates[:1].expand(7, 2)), width=2)
    torch.testing.assert_close(alike, one_by_one(model, levels)[:, [2, 0]], atol=1e-4, rtol=0)


def test_the_whole_image_as_a_region_is_the_plain_answer_and_two_halves_sum_to_it(model, levels):
    plain = of(model, levels)

    def part(*regions, combine="sum"):
        return of(model, levels, Question(weights=pixel_weights(regions, 8, 8, combine)))

    for whole in (":,:", "0:8,0:8", "upto:8,0", "upto:7,8"):
        torch.testing.assert_close(part(whole), plain, atol=1e-4, rtol=0)
    for halves in (("0:3,:", "3:8,:"), (":,:5", ":,5:"), ("upto:3,5", "3:4,5:", "4:,:")):
        torch.testing.assert_close(sum(map(part, halves)), plain, atol=1e-4, rtol=0)
        torch.testing.assert_close(part(*halves), plain, atol=1e-4, rtol=0)
        torch.testing.assert_close(part(*halves, combine="mean"), plain / len(halves), atol=1e-4, rtol=0)


def test_pixels_outside_a_region_are_left_out_but_still_seen(model, levels):
    """Later pixels do not matter, earlier ones do: they are not set to zero."""
    question = Question(weights=pixel_weights(["4:6,2:5"], 8, 8))
    plain, later, earlier = levels.clone(), levels.clone(), levels.clone()
    later[:, :, 6:] = 0
    earlier[:, :, :4] = 0
    assert torch.equal(of(model, later, question), of(model, plain, question))
    assert (of(model, earlier, question) - of(model, plain, question)).abs().max() > 1e-3
    with torch.no_grad():
        by_hand = model.log_prob_map(levels, torch.full((7,), 1))[:, 4:6, 2:5].double().sum((1, 2))
    torch.testing.assert_close(of(model, plain, question)[:, 1], by_hand, atol=1e-5, rtol=0)


def test_an_impossible_pixel_outside_of_the_region_does_not_count():
    maps = torch.zeros(1, 2, 2, 2)
    maps[..., 0, 0] = -torch.inf
    assert total(maps, pixel_weights(["1:,:"], 2, 2)).tolist() == [[0, 0]]
    assert total(maps).tolist() == [[-torch.inf] * 2]


def test_numbers_that_are_not_finite_are_the_readers_business():
    impossible = BernoulliModel([0.0, 0.5], ("never", "fair"))
    assert of(impossible, images([6]), width=2)[0, 0] == -torch.inf


def test_a_model_without_classes_gives_log_p(levels):
    plain = pb.create("digits", classes=(), filters=2)
    with torch.no_grad():
        expected = plain.log_prob(levels)[:, None]
    torch.testing.assert_close(of(plain, levels, width=1), expected, atol=1e-4, rtol=0)
    with pytest.raises(UserError, match="no candidate"):
        of(plain, levels, Question(torch.zeros(7, 1, dtype=torch.long)), width=1)


def test_answers_are_ordinary_tensors_and_the_model_is_left_in_its_mode(model, levels):
    model.train()
    _, nats = next(log_likelihoods(model, levels))
    assert not nats.is_inference()
    model.eval()
    list(log_likelihoods(model.train(), levels))
    assert model.training
    model.eval()


def test_the_arithmetic_is_the_models_own_also_within_somebody_elses_autocast(model, levels):
    plain = of(model, levels)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(of(model, levels), plain)
    rough = of(model, levels, Question(precision="bf16"))
    assert 0 < (rough - plain).abs().max() < 20


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "1 channel"),
        (torch.zeros(1, 1, 8, 8), "integer levels"),
        (torch.full((1, 1, 8, 8), 40, dtype=torch.uint8), "levels must lie in"),
    ],
)
def test_images_that_do_not_fit_are_refused_lazy_or_not(model, wrong, words):
    for source in (wrong, Lazy(wrong)):
        with pytest.raises(UserError, match=words):
            of(model, source)


def test_a_question_that_makes_no_sense_is_refused(model, levels):
    with pytest.raises(UserError, match="batch"):
        Question(batch=0)
    with pytest.raises(UserError, match="unknown precision 'bf15'"):
        Question(precision="bf15")
    with pytest.raises(UserError, match="candidates"):
        of(model, levels, Question(torch.zeros(3, 1, dtype=torch.long)))
