"""McNemar's test and the interval of a difference, against other formulas and against images drawn anew."""

from math import comb

import numpy as np
import pytest

from pixelbayes.measure import Comparison, compare_answers


def test_answers_are_counted_in_pairs() -> None:
    found = compare_answers([True, True, False, False, True], [True, False, True, False, True])
    assert found == Comparison(images=5, both=2, only_a=1, only_b=1, neither=1)
    assert found.accuracies == (0.6, 0.6)


@pytest.mark.parametrize(("only_a", "only_b"), [(2, 9), (0, 5), (4, 4), (31, 12)])
def test_mcnemars_exact_test_is_a_sum_of_binomials(only_a: int, only_b: int) -> None:
    total, least = only_a + only_b, min(only_a, only_b)
    wanted = min(1.0, 2 * sum(comb(total, k) for k in range(least + 1)) / 2**total)
    assert Comparison(200, 100, only_a, only_b, 0).p_value == pytest.approx(wanted)


def test_the_interval_is_that_of_pairs_drawn_anew() -> None:
    noise = np.random.default_rng(0)
    a = noise.random(400) < 0.8
    b = np.where(noise.random(400) < 0.9, a, noise.random(400) < 0.95)
    found = compare_answers(a.tolist(), b.tolist())
    rows = noise.integers(0, 400, (4000, 400))
    drawn = b[rows].mean(1) - a[rows].mean(1)
    assert found.difference == pytest.approx(b.mean() - a.mean())
    assert found.difference_interval == pytest.approx(np.quantile(drawn, (0.025, 0.975)), abs=0.005)


def test_the_same_answers_on_ten_images_prove_little() -> None:
    found = Comparison(10, 9, 0, 0, 1)
    assert found.p_value == 1.0
    assert found.difference_interval.low < -0.1 < 0.1 < found.difference_interval.high


def test_the_verdict_is_in_plain_words() -> None:
    assert "within chance" in Comparison(50, 40, 3, 1, 6).verdict()
    assert (
        Comparison(50, 10, 30, 1, 9).verdict().startswith("A names 29 more of 50 images right than B: more")
    )
    assert "on the same ones" in Comparison(50, 40, 0, 0, 10).verdict()
