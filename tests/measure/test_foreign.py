import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu
from sklearn.metrics import average_precision_score, roc_auc_score

from pixelbayes.errors import UserError
from pixelbayes.measure.foreign import separation


@pytest.mark.parametrize("spread", [0.1, 1.0, 1e4])
def test_the_figures_are_those_of_other_tools(spread):
    generator = torch.Generator().manual_seed(0)
    known = torch.randn(70, generator=generator).double() * spread
    foreign = (torch.randn(31, generator=generator).double() + 1) * spread
    known[:5] = foreign[:5] = foreign[0]  # ties count half
    found = separation("any", known, foreign)
    scores, truth = np.concatenate([known, foreign]), np.r_[np.zeros(70), np.ones(31)]
    assert found.auroc == pytest.approx(roc_auc_score(truth, scores))
    assert found.auroc == pytest.approx(mannwhitneyu(foreign, known).statistic / (70 * 31))
    assert found.aupr == pytest.approx(average_precision_score(truth, scores))
    # The highest threshold that finds 95 % of the foreign images, and who else lies above it.
    least = next(t for t in sorted(foreign.tolist(), reverse=True) if (foreign >= t).double().mean() >= 0.95)
    assert found.fpr95 == pytest.approx(float((known >= least).double().mean()))


def test_infinite_scores_are_the_most_foreign_and_no_number_is_refused():
    known = torch.tensor([1.0, 2.0])
    assert separation("any", known, torch.tensor([3.0, torch.inf])).auroc == 1.0
    with pytest.raises(UserError, match="no number"):
        separation("any", known, torch.tensor([torch.nan]))
    with pytest.raises(UserError, match="no foreign images"):
        separation("any", known, known[:0])
