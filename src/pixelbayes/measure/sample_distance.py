"""How far two sets of images are from each other, by their features: float64 arrays [n, D].

- Frechet distance of the normal distributions that fit (Heusel et al. 2017). It is biased: of finite sets of one
  distribution it is above zero, the more so the fewer the images and the more the features.
- KID, the squared maximum mean discrepancy with the cubic kernel (Binkowski et al. 2018), unbiased: it may be below
zero.
- Precision, the share of samples within the real images' manifold, and recall, the share of real images within that of
  the samples, by k nearest neighbours (Kynkaanniemi et al. 2019).

Intervals are those of the delete-a-tenth jackknife: the spread of the figure over subsets that each lack a tenth of
both sets.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np
import torch

NEIGHBOURS = 3
GROUPS = 10
Z95 = 1.959963984540054
AT_ONCE = 1024  # rows of a table of distances


class Estimate(NamedTuple):
    """A figure and its 95 % interval; the ends are None where there are too few images to say."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Distances:
    """Two sets compared. None where a set is too small for the figure."""

    samples: int
    real: int
    frechet: Estimate | None
    kid: Estimate | None
    precision: float | None
    recall: float | None


def distances(samples: np.ndarray, real: np.ndarray, seed: int = 0) -> Distances:
    """Features of samples [n, D] and of real images [m, D] -> every figure; `seed` divides them into tenths."""
    n, m = len(samples), len(real)
    if min(n, m) < 2:
        return Distances(n, m, None, None, None, None)
    enough = min(n, m) > NEIGHBOURS
    precision, recall = precision_recall(samples, real) if enough else (None, None)
    return Distances(
        n,
        m,
        _jackknifed(frechet, samples, real, seed),
        _jackknifed(kid, samples, real, seed),
        precision,
        recall,
    )


def frechet(samples: np.ndarray, real: np.ndarray) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of the means and (n - 1) covariances.

    With S1 = A'A and S2 = B'B the trace of the root is the sum of the singular values of A B', which is exact also
    where there are fewer images than features.

    >>> round(frechet(np.array([[0.0], [2.0]]), np.array([[1.0], [3.0]])), 9)
    1.0
    """
    first, second = (
        (samples - samples.mean(0)) / sqrt(len(samples) - 1),
        (real - real.mean(0)) / sqrt(len(real) - 1),
    )
    root = float(np.linalg.norm(_triangle(first) @ _triangle(second).T, "nuc"))
    gap = float(np.square(samples.mean(0) - real.mean(0)).sum())
    return gap + float(np.square(first).sum() + np.square(second).sum()) - 2 * root


def _triangle(rows: np.ndarray) -> np.ndarray:
    """A square R with R'R = rows' rows, where that is smaller than the rows."""
    return np.asarray(np.linalg.qr(rows, mode="r")) if len(rows) > rows.shape[1] else rows


def kid(samples: np.ndarray, real: np.ndarray) -> float:
    """The unbiased estimate of the squared maximum mean discrepancy under (x'y / D + 1)^3."""
    n, m = len(samples), len(real)
    within_samples = _kernel_sum(samples, samples) - _kernel_diagonal(samples)
    within_real = _kernel_sum(real, real) - _kernel_diagonal(real)
    across = _kernel_sum(samples, real)
    return within_samples / (n * (n - 1)) + within_real / (m * (m - 1)) - 2 * across / (n * m)


def _kernel_sum(first: np.ndarray, second: np.ndarray) -> float:
    parts = range(0, len(first), AT_ONCE)
    return float(sum(((first[i : i + AT_ONCE] @ second.T / first.shape[1] + 1) ** 3).sum() for i in parts))


def _kernel_diagonal(rows: np.ndarray) -> float:
    return float(((np.square(rows).sum(1) / rows.shape[1] + 1) ** 3).sum())


def _jackknifed(
    figure: Callable[[np.ndarray, np.ndarray], float], samples: np.ndarray, real: np.ndarray, seed: int
) -> Estimate:
    """The figure of all images, and its interval by leaving out a tenth of both sets at a time."""
    value = figure(samples, real)
    if min(len(samples), len(real)) < 2 * GROUPS:
        return Estimate(value, None, None)
    noise = np.random.default_rng(seed)
    tenth_of_samples, tenth_of_real = (noise.permutation(len(rows)) % GROUPS for rows in (samples, real))
    left = [figure(samples[tenth_of_samples != g], real[tenth_of_real != g]) for g in range(GROUPS)]
    error = sqrt((GROUPS - 1) / GROUPS * float(np.square(np.array(left) - np.mean(left)).sum()))
    return Estimate(value, value - Z95 * error, value + Z95 * error)


def precision_recall(
    samples: np.ndarray, real: np.ndarray, neighbours: int = NEIGHBOURS
) -> tuple[float, float]:
    """The share of samples within a real image's k-th neighbour's distance of it, and the other way round."""
    return _covered(samples, real, neighbours), _covered(real, samples, neighbours)


def _covered(points: np.ndarray, manifold: np.ndarray, neighbours: int) -> float:
    centres = torch.from_numpy(manifold)
    radii = torch.cat(
        [
            (torch.cdist(part, centres).kthvalue(neighbours + 1, dim=1).values)
            for part in centres.split(AT_ONCE)
        ]
    )
    inside = [
        (torch.cdist(part, centres) <= radii).any(1) for part in torch.from_numpy(points).split(AT_ONCE)
    ]
    return float(torch.cat(inside).double().mean())


def nearest(points: np.ndarray, among: np.ndarray, count: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The distances [n, count] of each point to its nearest rows of `among`, and their indices."""
    centres = torch.from_numpy(among)
    blocks = [
        torch.cdist(part, centres).topk(min(count, len(centres)), largest=False)
        for part in torch.from_numpy(points).split(AT_ONCE)
    ]
    return torch.cat([each.values for each in blocks]).numpy(), torch.cat(
        [each.indices for each in blocks]
    ).numpy()
