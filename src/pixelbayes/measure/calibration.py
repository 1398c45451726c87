"""From likelihoods that rank well to probabilities that can be believed.

Log likelihoods of whole images differ by hundreds of nats, and a network's errors add up over the pixels of
an image: Bayes' rule on them names the right class but claims certainty, and a class of few images sits some
tens of nats too low. One temperature and one offset for each class, fitted on validation images, mend both:
`posterior = softmax(log p(x | c) / T + offsets + log p(c))` (Guo et al. 2017, "On calibration of modern neural
networks"; with offsets: bias-corrected temperature scaling, Alexandari et al. 2020).

The fit is the most probable (1/T, offsets) in a convex problem, so that it exists, is unique and stays sane
for a validation set of ten images or one whose classes separate perfectly:

- every class counts the same, however many images it has: the answers are those of a world in which the
  classes are equally common, and a rare class is found;
- 1/T has a gamma prior worth one image, whose mode gives the median image the certainty that the rule of
  succession allows after n images, 1 - 1/(n+1), and not more than the model itself claims;
- offsets sum to zero and have a normal prior. Its scale is found by leaving out images, the smallest that does
  well: with few images for each class of a well-trained model, offsets are mostly noise and stay near zero.
"""

from dataclasses import dataclass
from math import isfinite, log

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ..posterior import Calibration

OFFSET_SCALES = (0.03, 0.3, 1.0, 3.0)  # nats, after division by T
FOLDS = 5
FAR_BELOW = -1e12  # nats; in place of -inf, whose derivative is not a number
TEMPERATURES = (1e-2, 1e6)
"""The least and the largest temperature: below, any model is certain; above, of nothing."""
MOST_OFFSET = 50.0  # nats
LARGE = 500_000  # numbers in the evidence from which on the scale is not searched: the data decide


def fit_calibration(log_joint: Tensor, labels: Tensor, balanced: bool = True) -> Calibration:
    """Log joints [N, K] (nats) of validation images and their labels [N] (-1: unknown) -> Calibration.

    With `balanced=False` every image counts the same and the answers lean to the frequent classes. A class
    without validation images keeps offset 0 and is left out of the fit; -inf means that a class was no candidate
    for an image. With fewer than two classes present
    nothing can be learned: the neutral calibration is returned.
    """
    return _fit(log_joint, labels, balanced, None)[0]


def cross_fitted(
    log_likelihoods: Tensor, labels: Tensor, log_prior: Tensor | None = None, balanced: bool = True
) -> Tensor:
    """The posterior [N, K] of each image by a calibration that was fitted to the others (in five parts).

    log_likelihoods: log p(x | c) [N, K] in nats; labels [N]; log_prior: log p(c) [K], uniform when None.

    What a calibration does to the images that it was fitted on flatters it; this does not. The scale of the offsets'
    prior is that of all the images.
    """
    _, scale = _fit(log_likelihoods, labels, balanced, None)
    fold = _dealt_out(labels.cpu())
    posterior = torch.empty_like(log_likelihoods, dtype=torch.float64, device="cpu")
    for number in fold.unique():
        out = fold == number
        calibration, _ = _fit(log_likelihoods[~out], labels[~out], balanced, scale)
        posterior[out] = calibration.posterior(log_likelihoods[out].cpu(), log_prior)
    return posterior


def _fit(log_joint: Tensor, labels: Tensor, balanced: bool, scale: float | None) -> tuple[Calibration, float]:
    """The calibration, and the scale of its offsets' prior: the one given, or the one that is found."""
    classes = log_joint.shape[1]
    neutral = Calibration(temperature=1.0, offsets=(0.0,) * classes)
    evidence, labels = _usable(log_joint.cpu().double(), labels.long().cpu())
    present, inverse, counts = labels.unique(return_inverse=True, return_counts=True)
    if len(present) < 2:
        return neutral, OFFSET_SCALES[0]
    evidence = evidence[:, present]
    weights = 1 / counts[inverse].double()
    problem = _Problem(evidence, inverse, weights if balanced else torch.ones_like(weights))
    scale = _best_scale(problem) if scale is None else scale
    sharpness, fitted = problem.solve(scale)
    offsets = torch.zeros(classes, dtype=torch.float64)
    offsets[present] = fitted.clamp(-MOST_OFFSET, MOST_OFFSET)
    temperature = min(max(1 / max(sharpness, 1e-300), TEMPERATURES[0]), TEMPERATURES[1])
    if not (isfinite(temperature) and bool(offsets.isfinite().all())):
        return neutral, scale
    return Calibration(temperature=temperature, offsets=tuple(float(offset) for offset in offsets)), scale


def _dealt_out(labels: Tensor) -> Tensor:
    """A fold for each image [N], dealt out class by class, so that each fold holds its part of every class."""
    fold = torch.empty_like(labels)
    fold[labels.argsort(stable=True)] = torch.arange(len(fold)) % FOLDS
    return fold


def _usable(evidence: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The rows of known class; a class that was no candidate for an image (-inf) is finite and far below."""
    own = evidence.gather(1, labels.clamp_min(0)[:, None])[:, 0]
    known = (labels >= 0) & own.isfinite()
    return evidence[known].nan_to_num(nan=FAR_BELOW, neginf=FAR_BELOW), labels[known]


def _best_scale(problem: "_Problem") -> float:
    """The smallest scale of the offsets' prior that predicts images left out of the fit as well as the best
    does, within one standard error."""
    if problem.evidence.numel() > LARGE:
        return OFFSET_SCALES[-1]
    fold = _dealt_out(problem.labels)
    losses = torch.stack([_left_out(problem, fold, scale) for scale in OFFSET_SCALES])
    excess = losses - losses[losses.sum(1).argmin()]
    good = excess.sum(1) <= excess.std(1) * len(fold) ** 0.5
    return OFFSET_SCALES[int(good.nonzero()[0])]


def _left_out(problem: "_Problem", fold: Tensor, scale: float) -> Tensor:
    """The loss on each image [N] of the fit to the other folds."""
    losses = torch.zeros(len(fold), dtype=torch.float64)
    for number in fold.unique():
        out = fold == number
        if not out.all():
            losses[out] = problem.subset(out).losses(*problem.subset(~out).solve(scale))
    return losses


@dataclass(frozen=True)
class _Problem:
    """Find the sharpness 1/T > 0 and the offsets [K] that explain `labels` best."""

    evidence: Tensor  # [N, K] nats
    labels: Tensor  # [N]
    weights: Tensor  # [N]

    def subset(self, chosen: Tensor) -> "_Problem":
        return _Problem(self.evidence[chosen], self.labels[chosen], self.weights[chosen])

    def solve(self, scale: float) -> tuple[float, Tensor]:
        """The best sharpness and offsets, given the scale of the offsets' prior."""
        expected = self.expected_sharpness()
        # Its logarithm keeps the sharpness positive; the minimum stays the only one.
        log_sharpness = torch.tensor(log(expected), dtype=torch.float64, requires_grad=True)
        offsets = torch.zeros(self.evidence.shape[1], dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.LBFGS([log_sharpness, offsets], max_iter=200, line_search_fn="strong_wolfe")

        def closure() -> float:
            optimiser.zero_grad()
            with torch.enable_grad():
                sharpness = log_sharpness.exp()
                ratio = sharpness / expected
                prior = ratio - ratio.log() + (offsets**2).sum() / (2 * scale**2)
                loss = self.losses(sharpness, offsets).sum() / self.weights.sum() + prior / len(self.labels)
                loss.backward()
            return float(loss.detach())

        optimiser.step(closure)
        return float(log_sharpness.detach().exp()), offsets.detach() - offsets.detach().mean()

    def losses(self, sharpness: Tensor | float, offsets: Tensor) -> Tensor:
        """Weighted negative log posteriors [N] in nats; convex in (sharpness, offsets)."""
        logits = self.evidence * sharpness + offsets
        return self.weights * cross_entropy(logits, self.labels, reduction="none")

    def expected_sharpness(self) -> float:
        """The sharpness at which the median image, shifts between classes removed, is as certain as the rule
        of succession allows."""
        known = (self.evidence > FAR_BELOW).double()
        centred = self.evidence - (self.evidence * known).sum(1, keepdim=True) / known.sum(1, keepdim=True)
        weights = known * self.weights[:, None]
        shift = (weights * centred).sum(0) / weights.sum(0)
        best = (centred - shift).topk(2, dim=1).values
        margin = float((best[:, 0] - best[:, 1]).median())
        return min(1.0, log(len(self.labels) + 1) / max(margin, 1e-6))
