"""How well scores tell foreign images from known ones."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ..errors import UserError


@dataclass(frozen=True)
class Separation:
    """Foreign images are the positive ones; shares in 0..1."""

    name: str
    auroc: float
    """The chance that a foreign image scores higher than a known one (0.5: no better than chance)."""
    aupr: float
    """Area under precision and recall (average precision); chance: the share of foreign images."""
    fpr95: float
    """The share of known images above the threshold that finds 95 % of the foreign ones."""


def separation(name: str, known: Tensor, foreign: Tensor) -> Separation:
    """Scores of known images [N] and of foreign ones [M], higher: more foreign; infinite ones are the highest.

    >>> import torch
    >>> found = separation("likelihood", torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.5, 9.0]))
    >>> round(found.auroc, 4), round(found.aupr, 4), round(found.fpr95, 4)
    (0.8333, 0.8333, 0.3333)
    """
    from scipy.stats import rankdata
    from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

    if not len(known) or not len(foreign):
        raise UserError("there are no known or no foreign images to tell apart")
    scores = np.concatenate([known.double().numpy(), foreign.double().numpy()])
    if np.isnan(scores).any():
        raise UserError(f"the score {name} of {int(np.isnan(scores).sum())} images is no number")
    truth = np.concatenate([np.zeros(len(known), int), np.ones(len(foreign), int)])
    ranks = rankdata(scores, "dense")  # the same order, and finite
    false, true, _ = roc_curve(truth, ranks, drop_intermediate=False)
    return Separation(
        name,
        float(roc_auc_score(truth, ranks)),
        float(average_precision_score(truth, ranks)),
        float(false[true >= 0.95 - 1e-12].min()),
    )
