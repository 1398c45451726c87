"""A density over several statistics of an image (Morningstar et al. 2021, Density of States Estimation)."""

from dataclasses import dataclass
from math import log, pi

import torch
from torch import Tensor

MOST_COMPONENTS = 4
ROWS_A_COMPONENT = 50  # a mixture of few images would learn them by heart
LEAST_SCALE = 1e-2  # nats or bits: a statistic that varies by less is constant but for the arithmetic
RIDGE = 1e-2  # added to the variances of standardised statistics, some of which hardly differ from each other
FARTHEST = 1e6  # standard deviations, so that squares stay finite


@dataclass(frozen=True)
class Density:
    """A mixture of M Gaussians over D standardised statistics; all tensors are float64."""

    mean: Tensor
    """Of each statistic among the training images [D]."""
    scale: Tensor
    """Their standard deviations [D]."""
    weights: Tensor
    """[M]"""
    centres: Tensor
    """[M, D]"""
    factors: Tensor
    """Cholesky factors of the precision matrices [M, D, D], upper."""

    def log_prob(self, statistics: Tensor) -> Tensor:
        """Statistics [N, D] -> the log density of the standardised ones [N]."""
        rows = ((statistics.double() - self.mean) / self.scale).nan_to_num(nan=FARTHEST)
        rows = rows.clamp(-FARTHEST, FARTHEST)
        away = torch.einsum("nmd,mde->nme", rows[:, None] - self.centres, self.factors)
        turned = self.factors.diagonal(dim1=1, dim2=2).log().sum(1)
        each = turned - 0.5 * (away.square().sum(2) + rows.shape[1] * log(2 * pi))
        return torch.logsumexp(each + self.weights.log(), 1)

    def tensors(self) -> dict[str, Tensor]:
        return {name: getattr(self, name).contiguous() for name in self.__dataclass_fields__}


def fit_density(statistics: Tensor, seed: int = 0) -> Density:
    """Statistics [N, D] of training images -> the mixture of the best BIC, of up to `MOST_COMPONENTS` Gaussians."""
    from sklearn.mixture import GaussianMixture

    mean = statistics.mean(0)
    scale = statistics.std(0, correction=0).clamp_min(LEAST_SCALE)
    rows = ((statistics - mean) / scale).numpy()
    most = max(1, min(MOST_COMPONENTS, len(rows) // ROWS_A_COMPONENT))
    tried = [
        GaussianMixture(count, reg_covar=RIDGE, random_state=seed, n_init=2).fit(rows)
        for count in range(1, most + 1)
    ]
    best = min(tried, key=lambda mixture: mixture.bic(rows))
    arrays = (best.weights_, best.means_, best.precisions_cholesky_)
    return Density(mean, scale, *(torch.from_numpy(array).double().contiguous() for array in arrays))
