import pytest
import torch

from pixelbayes.measure import fit_calibration, scores


def two_classes(common, rare, shift, spread=30.0, gap=90.0, seed=0):
    """Evidence as a network gives it: it ranks well, but is far too sure and shifted against the rare class."""
    generator = torch.Generator().manual_seed(seed)
    side = torch.cat([torch.full([common], -gap / 2), torch.full([rare], gap / 2)]).double()
    noise = torch.randn(common + rare, generator=generator, dtype=torch.float64) * spread
    difference = side + noise - shift
    labels = torch.cat([torch.zeros(common), torch.ones(rare)]).long()
    return torch.stack([torch.zeros_like(difference), difference], 1), labels


@pytest.mark.parametrize(("common", "rare", "error"), [(25, 5, 0.2), (50, 10, 0.2), (500, 100, 0.05)])
def test_a_rare_class_is_found_and_the_answers_can_be_believed(common, rare, error):
    evidence, labels = two_classes(common, rare, shift=120.0)
    held_out, truth = two_classes(2000, 2000, shift=120.0, seed=1)
    before = scores(held_out.softmax(1), truth)
    after = scores(fit_calibration(evidence, labels).posterior(held_out), truth)
    assert before.balanced_accuracy < 0.55
    assert after.balanced_accuracy > 0.9
    assert after.calibration_error < error < 0.4 < before.calibration_error


def test_the_right_temperature_and_offsets_are_found():
    evidence, labels = two_classes(4000, 4000, shift=45.0)  # log odds of the truth: (d + 45) * 90 / 30**2
    found = fit_calibration(evidence, labels)
    assert found.temperature == pytest.approx(10.0, rel=0.05)
    assert found.offsets[1] - found.offsets[0] == pytest.approx(4.5, abs=0.3)
    assert sum(found.offsets) == pytest.approx(0.0, abs=1e-9)


def test_unbalanced_counts_do_not_lean_the_answers_unless_asked():
    evidence, labels = two_classes(2000, 100, shift=0.0)
    balanced, plain = fit_calibration(evidence, labels), fit_calibration(evidence, labels, balanced=False)
    assert abs(balanced.offsets[0] - balanced.offsets[1]) < 1.0
    assert plain.offsets[0] - plain.offsets[1] > 2.0


def test_perfect_separation_does_not_become_certainty_beyond_all_evidence():
    labels = torch.arange(30) % 3
    evidence = torch.zeros(30, 3, dtype=torch.float64).scatter(1, labels[:, None], 200.0)
    found = fit_calibration(evidence, labels)
    assert found.temperature >= 1.0
    assert 0.97 < float(found.posterior(evidence).amax(1).min()) < 0.9999


def test_a_well_trained_model_is_not_disturbed_by_a_small_validation_set():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 10
    evidence = torch.randn(60, 10, generator=generator, dtype=torch.float64) * 10
    evidence[torch.arange(60), labels] += 60
    assert max(map(abs, fit_calibration(evidence, labels).offsets)) < 0.3


def test_a_class_without_validation_images_keeps_offset_zero():
    evidence, labels = two_classes(40, 40, shift=60.0)
    absent = torch.full([80, 1], 500.0, dtype=torch.float64)
    found = fit_calibration(torch.cat([evidence, absent], 1), labels)
    without = fit_calibration(evidence, labels)
    assert found.offsets[2] == 0.0
    assert found.temperature == pytest.approx(without.temperature)
    assert found.offsets[:2] == pytest.approx(without.offsets)


@pytest.mark.parametrize("labels", [[], [0, 0, 0], [-1, -1, 1]])
def test_nothing_to_learn_from_gives_the_neutral_calibration(labels):
    evidence = torch.randn(len(labels), 3, dtype=torch.float64)
    found = fit_calibration(evidence, torch.tensor(labels, dtype=torch.long))
    assert found.temperature == 1.0
    assert tuple(found.offsets) == (0.0, 0.0, 0.0)


def test_evidence_that_ranks_backwards_gives_doubt_not_an_error():
    evidence, labels = two_classes(50, 50, shift=0.0)
    found = fit_calibration(-evidence, labels)
    assert found.temperature > 100
    assert float(found.posterior(-evidence).amax()) < 0.8


def test_unknown_labels_and_a_constant_for_each_image_change_nothing():
    evidence, labels = two_classes(30, 30, shift=10.0)
    noise = torch.randn(60, 1, dtype=torch.float64) * 1000
    more = torch.cat([evidence + noise, torch.zeros(5, 2, dtype=torch.float64)])
    found = fit_calibration(more, torch.cat([labels, torch.full([5], -1)]))
    assert found.temperature == pytest.approx(fit_calibration(evidence, labels).temperature, rel=1e-4)


def test_a_class_that_was_no_candidate_for_an_image_is_left_out_of_its_sum():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(300) % 3
    evidence = torch.randn(300, 3, generator=generator, dtype=torch.float64) * 30
    evidence[torch.arange(300), labels] += 60
    whole = fit_calibration(evidence, labels)
    rival = (labels + 1) % 3
    evidence[torch.arange(300), rival] = -torch.inf
    part = fit_calibration(evidence, labels)
    assert part.temperature == pytest.approx(whole.temperature, rel=0.5)
    assert all(abs(offset) < 5 for offset in part.offsets)
