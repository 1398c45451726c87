"""Scores recomputed by hand, the threshold's promise, storage, and what is refused."""

from math import log

import numpy as np
import pytest
import torch
from tests.tasks.detect.conftest import SHAPE, background, ramps, squares

import pixelbayes as pb
from pixelbayes.distributions import LogisticMixture
from pixelbayes.errors import UserError
from pixelbayes.levels import ImageShape
from pixelbayes.model import AutoregressiveImageModel, ModelConfig
from pixelbayes.networks import PixelCNNConfig
from pixelbayes.tasks.classify import classify_levels
from pixelbayes.tasks.detect import (
    FILE,
    fit_detector,
    load_detector,
    save_detector,
    statistics_by_block,
    statistics_of,
)
from pixelbayes.tasks.detect.compressed import compressed_bits
from pixelbayes.tasks.detect.statistics import in_parts
from pixelbayes.tasks.detect.stirring import stirred


def judged(model, detector, levels, **more):
    return detector.judge(statistics_of(model, levels, detector.instruments, **more))


def test_each_score_is_what_its_name_says(ramp_model, ramp_detector):
    levels = torch.cat([ramps(3, 4), squares(2, 4)])
    found = judged(ramp_model, ramp_detector, levels)
    with torch.no_grad():
        log_prob = ramp_model.log_joint(levels).logsumexp(1)
        best = ramp_model.log_joint(levels).argmax(1)
        local = ramp_detector.instruments.local.log_prob(levels)
        other = background().log_prob(levels)
        own = ramp_model.log_prob(levels, best)
        moved = [ramp_model.log_prob(stirred(levels, seed), best) - own for seed in (0, 1)]
    bits = compressed_bits(levels, ramp_detector.instruments.compressors)
    expected = {
        "likelihood": -log_prob,
        "typicality": (log_prob - ramp_detector.reference.typical).abs(),
        "complexity": -log_prob / log(2) - bits,
        "local": local - log_prob,
        "ratio": other - log_prob,
        "stirring": (moved[0] + moved[1]) / 2,
    }
    for name, scores in expected.items():
        assert torch.allclose(found[name], scores, atol=2e-3), name
    assert set(found.names) == {*expected, "dose", "together"}


def test_the_density_is_over_parts_of_the_likelihood_too(ramp_model, ramp_detector):
    levels = torch.cat([ramps(3, 4), squares(2, 4)])
    statistics = statistics_of(ramp_model, levels, ramp_detector.instruments)
    best = statistics.log_likelihoods.argmax(1)
    with torch.no_grad():
        maps = ramp_model.log_prob_map(levels, best).double()
    assert torch.allclose(statistics.parts[:, 6], maps[:, 2:4, 4:6].sum((1, 2)), atol=1e-3)
    assert torch.allclose(statistics.parts.sum(1), maps.sum((1, 2)), atol=1e-2)
    rows, columns = levels.double().diff(dim=2).abs(), levels.double().diff(dim=3).abs()
    by_hand = (rows.sum((1, 2, 3)) + columns.sum((1, 2, 3))) / 112
    assert torch.allclose(statistics.variation, by_hand)
    assert statistics.features().shape == (5, 6 + 16)
    assert in_parts(torch.ones(2, 1, 3)).tolist() == [[1.0, 1.0, 1.0]] * 2


def test_together_is_the_mean_of_the_standardised_one_sided_scores(ramp_model, ramp_detector):
    train = statistics_of(ramp_model, ramps(60, 2), ramp_detector.instruments)
    found, base = judged(ramp_model, ramp_detector, squares(4, 1)), ramp_detector.judge(train)
    names = ("complexity", "local", "stirring", "ratio")
    by_hand = [(found[name] - base[name].mean()) / base[name].std(correction=0) for name in names]
    assert torch.allclose(found["together"], torch.stack(by_hand).mean(0), atol=1e-3)


def test_foreign_images_score_higher_and_known_ones_pass(ramp_model, ramp_detector):
    known, foreign = ramps(100, 5), squares(20, 5)
    found = judged(ramp_model, ramp_detector, torch.cat([known, foreign]))
    for name in ("likelihood", "dose"):
        assert float(found[name][:100].median()) < float(found[name][100:].median()), name
    assert bool(found.foreign[100:].all())
    assert float(found.foreign[:100].double().mean()) <= 0.15


def test_scores_do_not_depend_on_the_batch_or_on_the_other_images(ramp_model, ramp_detector):
    levels = torch.cat([ramps(4, 6), squares(3, 6)])
    whole = judged(ramp_model, ramp_detector, levels)
    for batch in (1, 3):
        assert torch.allclose(
            judged(ramp_model, ramp_detector, levels, batch=batch).scores, whole.scores, atol=1e-3
        )
    alone = judged(ramp_model, ramp_detector, levels[5:6])
    assert torch.allclose(alone.scores, whole.scores[5:6], atol=1e-3)
    assert torch.allclose(alone.percentiles, whole.percentiles[5:6], atol=2)


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.2, 0.5])
def test_the_threshold_keeps_its_promise_on_the_held_out_images(ramp_detector, rate):
    chosen = ramp_detector.with_choice("likelihood", rate)
    place = chosen.names.index("likelihood")
    alarms = float((chosen.known[:, place] > chosen.thresholds[place]).double().mean())
    assert alarms <= rate
    assert alarms >= rate - 2 / len(chosen.known)


def test_verdict_percentile_and_p_value_agree(ramp_model, ramp_detector):
    found = judged(ramp_model, ramp_detector, torch.cat([ramps(30, 7), squares(5, 7)]))
    assert torch.equal(found.foreign, found.p_values <= found.false_alarms + 1e-12)
    place = found.names.index(found.by)
    by_hand = [(found.known[:, place] <= score).double().mean() * 100 for score in found[found.by]]
    assert torch.allclose(found.percentiles[:, place], torch.stack(by_hand))
    assert bool((found.p_values[~found.foreign] > found.false_alarms).all())
    assert bool((found.p_values[found.foreign] <= found.false_alarms).all())


def test_rejecting_answers_none_of_these_and_is_less_sure_of_foreign_images(ramp_model, ramp_detector):
    levels = torch.cat([ramps(10, 8), squares(5, 8)])
    answer = classify_levels(ramp_model, levels)
    found = judged(ramp_model, ramp_detector, levels)
    rejecting = found.reject(answer)
    assert torch.equal(rejecting.none, found.foreign)
    assert bool((rejecting.predicted[found.foreign] == -1).all())
    assert torch.equal(rejecting.predicted[~found.foreign], answer.predicted[~found.foreign])
    assert bool((rejecting.posterior.sum(1) <= 1 + 1e-12).all())
    assert torch.equal(rejecting.runner_up[found.foreign], answer.predicted[found.foreign])
    rows = list(rejecting.rows([str(number) for number in range(15)]))
    assert [row[3] == "none of these" for row in rows] == found.foreign.tolist()
    # The least p-value is 1/60; of 5 % false alarms that is a third.
    assert torch.allclose(rejecting.probability[10:], answer.probability[10:] * (1 / 60) / 0.05)
    with pytest.raises(UserError, match="15 detections"):
        found.reject(classify_levels(ramp_model, levels[:2]))


def test_foreign_images_are_less_sure_than_known_ones_also_where_none_is_rejected(ramp_model, ramp_detector):
    levels = torch.cat([ramps(30, 8), squares(30, 8)])
    plain = classify_levels(ramp_model, levels)
    found = pb.classify(ramp_model, levels, detector=ramp_detector)
    assert found.predicted.tolist() == plain.predicted.tolist()
    assert torch.allclose(found.shares.sum(1), torch.ones(60, dtype=torch.float64))
    known, foreign = found.probability[:30], found.probability[30:]
    assert float((known[:, None] > foreign).double().mean()) > 0.9
    with pytest.raises(UserError, match="needs detector="):
        pb.classify(ramp_model, levels, reject=True)
    with pytest.raises(UserError, match="whole images"):
        pb.classify(ramp_model, levels, detector=ramp_detector, regions=["0:4,:"])
    with pytest.raises(UserError, match="another model"):
        pb.classify(
            pb.create("digits", filters=2), torch.zeros(1, 1, 8, 8, dtype=torch.uint8), detector=ramp_detector
        )


class Lazy:
    """Images that are read when they are asked for; one of them cannot be."""

    def __init__(self, levels: torch.Tensor, bad: int) -> None:
        self.levels, self.bad, self.most = levels, bad, 0
        self.unreadable: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.levels)

    def __getitem__(self, rows: torch.Tensor) -> torch.Tensor:
        self.most = max(self.most, len(rows))
        self.unreadable |= {self.bad: "damaged"} if self.bad in rows.tolist() else {}
        return self.levels[rows]


def test_images_are_measured_block_by_block_as_at_once(ramp_model, ramp_detector, monkeypatch):
    monkeypatch.setattr("pixelbayes.tasks.detect.statistics.IMAGES_A_BLOCK", 8)
    levels = ramps(21, 8)
    whole = judged(ramp_model, ramp_detector, levels, batch=8).scores
    source = Lazy(levels, bad=6)
    parts = list(statistics_by_block(ramp_model, source, ramp_detector.instruments, batch=8))
    assert source.most == 8
    read = [row for row in range(21) if row != 6]
    assert torch.cat([rows for rows, _ in parts]).tolist() == read
    found = torch.cat([ramp_detector.judge(statistics).scores for _, statistics in parts])
    assert torch.allclose(found, whole[read], atol=1e-4)
    some = torch.tensor([20, 3])
    ((rows, statistics),) = statistics_by_block(
        ramp_model, source, ramp_detector.instruments, batch=8, rows=some
    )
    assert rows.tolist() == [20, 3]
    assert torch.allclose(ramp_detector.judge(statistics).scores, whole[some], atol=1e-4)


def test_a_stored_detector_says_the_same(ramp_model, ramp_detector, tmp_path):
    save_detector(ramp_detector, tmp_path)
    again = load_detector(tmp_path, ramp_model)
    levels = torch.cat([ramps(3, 9), squares(3, 9)])
    there, back = (judged(ramp_model, each, levels) for each in (ramp_detector, again))
    assert torch.equal(there.scores, back.scores)
    assert torch.equal(there.thresholds, back.thresholds)
    assert (again.score, again.false_alarms) == (ramp_detector.score, ramp_detector.false_alarms)


def test_the_same_seed_gives_the_same_detector(ramp_model):
    before = torch.random.get_rng_state()
    first, second = (
        fit_detector(ramp_model, ramps(30, 2), ramps(30, 3), seed=4, local_steps=3) for _ in range(2)
    )
    assert torch.equal(first.known, second.known)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_no_detector_a_damaged_one_and_one_of_other_weights_are_refused(ramp_model, ramp_detector, tmp_path):
    with pytest.raises(UserError, match="--fit"):
        load_detector(tmp_path, ramp_model)
    save_detector(ramp_detector, tmp_path)
    other = AutoregressiveImageModel(ramp_model.config)
    with pytest.raises(UserError, match="other weights"):
        load_detector(tmp_path, other)
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="damaged"):
        load_detector(tmp_path, ramp_model)


def test_too_few_images_unknown_scores_and_strange_rates_are_refused(ramp_model, ramp_detector):
    with pytest.raises(UserError, match="5 images to fit a detector on are too few"):
        fit_detector(ramp_model, ramps(5, 1), ramps(60, 1))
    with pytest.raises(UserError, match="3 images held out"):
        fit_detector(ramp_model, ramps(60, 1), ramps(3, 1))
    with pytest.raises(UserError, match="did you mean 'likelihood'"):
        ramp_detector.with_choice("likelihod")
    with pytest.raises(UserError, match="between 0 and 1"):
        ramp_detector.with_choice(None, 1.5)
    with pytest.raises(UserError, match="59 held-out images are too few"):
        ramp_detector.with_choice(None, 0.001)


def test_a_background_of_other_images_and_images_of_another_kind_are_refused(ramp_model, ramp_detector):
    config = ModelConfig(ImageShape(3, 8, 8), PixelCNNConfig(blocks=1, filters=6), LogisticMixture(2))
    with pytest.raises(UserError, match="the background model takes images of 3x8x8"):
        fit_detector(ramp_model, ramps(60, 1), ramps(60, 2), background=AutoregressiveImageModel(config))
    with pytest.raises(UserError, match="channel"):
        statistics_of(ramp_model, np.zeros((1, 3, 8, 8), np.uint8), ramp_detector.instruments)


@pytest.mark.parametrize(
    "shape",
    [
        ImageShape(3, 8, 8),
        ImageShape(3, 6, 9, 4),
        ImageShape(1, 1, 3, 2),
        ImageShape(1, 7, 5, 65_536, "asinh"),
    ],
)
def test_images_of_any_kind_with_and_without_classes(shape):
    for classes in ((), ("a", "b")):
        config = ModelConfig(
            shape, PixelCNNConfig(blocks=1, filters=6, kernel=3), LogisticMixture(1), classes=classes
        )
        model = AutoregressiveImageModel(config).eval()
        size = (24, shape.channels, shape.height, shape.width)
        levels = torch.randint(0, shape.levels, size, generator=torch.Generator().manual_seed(1))
        detector = fit_detector(model, levels, levels.flip(0), local_steps=2)
        found = judged(model, detector, levels[:4])
        assert found.scores.shape == (4, len(found.names))
        assert bool(found.scores.isfinite().all())


def test_the_local_model_reaches_two_pixels_and_is_a_likelihood(ramp_detector):
    from pixelbayes.causality import check_causality

    local = ramp_detector.instruments.local
    assert not check_causality(local).leaks
    levels = ramps(1, 1)
    far = levels.clone()
    far[..., 0, 0] += 100
    before, after = local.log_prob_map(levels)[0], local.log_prob_map(far)[0]
    changed = (before - after).abs() > 1e-4
    assert bool(changed[0, 0])
    assert not bool(changed[4:].any() or changed[:, 4:].any())


def test_the_density_is_high_where_images_were(ramp_detector):
    density = ramp_detector.reference.density
    near = density.mean[None]
    assert float(density.log_prob(near)) > float(density.log_prob(near + 20 * density.scale))
    assert bool(density.log_prob(torch.full_like(near, -torch.inf)).isfinite().all())
    assert SHAPE.dims == 64
