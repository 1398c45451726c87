"""The figures of two sets of features against independent computations."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from pixelbayes.measure.sample_distance import distances, frechet, kid, nearest, precision_recall


def normal(rows: int, dims: int, seed: int, scale: float = 1.0) -> np.ndarray:
    noise = np.random.default_rng(seed)
    return noise.normal(size=(rows, dims)) @ np.random.default_rng(1).normal(size=(dims, dims)) * scale


@pytest.mark.parametrize(("rows", "others"), [(200, 150), (200, 20), (9, 12)])
def test_the_frechet_distance_is_that_of_the_square_root_of_matrices(rows: int, others: int) -> None:
    first, second = normal(rows, 16, 2), normal(others, 16, 3, 1.3) + 0.2
    covariances = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    root = sqrtm(covariances[0] @ covariances[1]).real
    gap = np.square(first.mean(0) - second.mean(0)).sum()
    wanted = gap + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert frechet(first, second) == pytest.approx(wanted, abs=1e-3, rel=1e-5)


def test_two_halves_of_one_distribution_are_near_the_known_bias() -> None:
    noise = np.random.default_rng(0)
    n, dims = 400, 8
    found = [frechet(noise.normal(size=(n, dims)), noise.normal(size=(n, dims))) for _ in range(40)]
    # The means differ by D (1/n + 1/n); near the identity the covariances by |S1 - S2|^2 / 4.
    wanted = 2 * dims / n + dims * (dims + 1) / (2 * n)
    assert np.mean(found) == pytest.approx(wanted, rel=0.15)
    unbiased = [kid(noise.normal(size=(n, dims)), noise.normal(size=(n, dims))) for _ in range(20)]
    assert abs(np.mean(unbiased)) < 0.01


def test_the_kernel_distance_is_the_sum_over_pairs() -> None:
    first, second = normal(7, 3, 2), normal(5, 3, 3)

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return (a @ b / 3 + 1) ** 3

    within = [
        np.mean([k(a, b) for i, a in enumerate(s) for j, b in enumerate(s) if i != j])
        for s in (first, second)
    ]
    across = np.mean([k(a, b) for a in first for b in second])
    assert kid(first, second) == pytest.approx(sum(within) - 2 * across)


def test_precision_and_recall_by_hand() -> None:
    real = np.arange(6.0)[:, None]
    assert precision_recall(real, real, 1) == (1.0, 1.0)
    assert precision_recall(np.array([[0.5], [2.5], [100.0], [101.0]]), real, 1) == (
        0.5,
        pytest.approx(5 / 6),
    )
    # Within radius 2 of the samples 0.5 and 2.5: 0, 1, 2, 3, 4, and none of the far ones.
    assert precision_recall(real + 100, real, 1) == (0.0, 0.0)


def test_an_interval_holds_the_value_and_narrows_with_images() -> None:
    few, many = distances(normal(60, 4, 2), normal(60, 4, 3)), distances(normal(900, 4, 2), normal(900, 4, 3))
    widths = []
    for found in (few, many):
        assert found.frechet is not None
        assert found.frechet.low is not None
        assert found.frechet.high is not None
        assert found.frechet.low <= found.frechet.value <= found.frechet.high
        widths.append(found.frechet.high - found.frechet.low)
    assert widths[1] < widths[0] / 2


def test_too_few_images_have_no_figures() -> None:
    lonely = distances(normal(1, 3, 2), normal(5, 3, 3))
    assert (lonely.frechet, lonely.kid, lonely.precision) == (None, None, None)
    three = distances(normal(3, 3, 2), normal(5, 3, 3))
    assert three.precision is None
    assert three.frechet is not None
    assert three.frechet.low is None


def test_the_nearest_are_found_in_their_order() -> None:
    far, index = nearest(np.array([[0.9], [5.0]]), np.array([[0.0], [1.0], [4.0]]), 2)
    assert index.tolist() == [[1, 0], [2, 1]]
    assert far == pytest.approx(np.array([[0.1, 0.9], [1.0, 4.0]]))
