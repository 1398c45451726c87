"""Two classifiers on the same images: is one better, or is it chance?"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from scipy.stats import binomtest

from .intervals import Z95, Interval, wilson

CHANCE = 0.05  # a p-value from which on a difference is called chance


@dataclass(frozen=True)
class Comparison:
    """Classifiers A and B on the same images, by which of them were right."""

    images: int
    both: int
    """Images that both named right."""
    only_a: int
    only_b: int
    neither: int

    @property
    def accuracies(self) -> tuple[float, float]:
        """The shares that A and B named right."""
        total = max(1, self.images)
        return (self.both + self.only_a) / total, (self.both + self.only_b) / total

    @property
    def intervals(self) -> tuple[Interval, Interval]:
        """Wilson's 95 % interval of each accuracy."""
        return wilson(self.both + self.only_a, self.images), wilson(self.both + self.only_b, self.images)

    @property
    def difference(self) -> float:
        """Accuracy of B minus that of A."""
        return (self.only_b - self.only_a) / max(1, self.images)

    @property
    def difference_interval(self) -> Interval:
        """The 95 % interval of the difference: Wald's for pairs, which knows that the images are the same.

        Where the two are right on the same images, its width would be zero, as if 10 images were proof: half an image
        is then added to each kind of answer (Agresti and Min 2005).
        """
        b, c, total = float(self.only_b), float(self.only_a), float(self.images)
        if not b + c:
            b, c, total = 0.5, 0.5, total + 2
        half = Z95 * sqrt(max(0.0, b + c - (b - c) ** 2 / total)) / total
        middle = (b - c) / total
        return Interval(max(-1.0, middle - half), min(1.0, middle + half))

    @property
    def p_value(self) -> float:
        """McNemar's exact test: the probability of such a difference, or a larger one, if neither were better."""
        differing = self.only_a + self.only_b
        return float(binomtest(self.only_a, differing).pvalue) if differing else 1.0

    def verdict(self, a: str = "A", b: str = "B") -> str:
        """The answer in one plain sentence.

        >>> Comparison(100, 80, 2, 5, 13).verdict()
        'B names 3 more of 100 images right than A: within chance (p = 0.45)'
        >>> Comparison(100, 80, 1, 15, 4).verdict("the SVM", "the model")
        'the model names 14 more of 100 images right than the SVM: more than chance (p = 0.00052)'
        """
        more = self.only_b - self.only_a
        if not more:
            same = "on the same ones" if not self.only_a else f"on {self.only_a:,} different ones each"
            return f"{a} and {b} name as many of {self.images:,} images right (they are right {same})"
        better, worse = (b, a) if more > 0 else (a, b)
        p = self.p_value
        how = "within chance" if p >= CHANCE else "more than chance"
        p_text = f"p = {p:.2g}" if p >= 1e-4 else "p < 0.0001"
        return f"{better} names {abs(more):,} more of {self.images:,} images right than {worse}: {how} ({p_text})"

    def as_dict(self) -> dict[str, object]:
        """The counts and what follows from them, as plain data."""
        return {
            "images": self.images,
            "both_right": self.both,
            "only_a_right": self.only_a,
            "only_b_right": self.only_b,
            "neither_right": self.neither,
            "accuracy_a": self.accuracies[0],
            "accuracy_b": self.accuracies[1],
            "interval_a": list(self.intervals[0]),
            "interval_b": list(self.intervals[1]),
            "difference": self.difference,
            "difference_interval": list(self.difference_interval),
            "p_value": self.p_value,
        }


def compare_answers(right_a: Sequence[bool], right_b: Sequence[bool]) -> Comparison:
    """Whether A and B named each image right, in the same order -> Comparison."""
    pairs = [(bool(a), bool(b)) for a, b in zip(right_a, right_b, strict=True)]
    kinds = [(True, True), (True, False), (False, True), (False, False)]
    return Comparison(len(pairs), *(pairs.count(kind) for kind in kinds))
