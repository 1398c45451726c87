"""A small real data set and a network that trains in seconds; scripts of other processes use them too."""

from dataclasses import dataclass, field, replace
from typing import Any

from pixelbayes.data import Dataset, open_dataset
from pixelbayes.distributions import LogisticMixture
from pixelbayes.networks import CONFIGS
from pixelbayes.recipe import Recipe


@dataclass(frozen=True)
class SmallRecipe(Recipe):
    """A small network."""

    name: str = "small"
    network: Any = field(
        default_factory=lambda: CONFIGS["pixelcnn_pp"](resnets=1, filters=4, dropout=0.3, scales=2)
    )
    distribution: Any = field(default_factory=lambda: LogisticMixture(mixtures=2))

    def but(self, **changes: Any) -> "SmallRecipe":
        """The same with some fields of the training changed."""
        return replace(self, training=replace(self.training, **changes))

    def still(self) -> "SmallRecipe":
        """The same without dropout."""
        return replace(self, network=replace(self.network, dropout=0.0))


def small_digits(train: int = 120, validation: int = 20) -> Dataset:
    """Some of the bundled digits."""
    whole = open_dataset("digits")
    held = whole.splits["validation"][: min(validation, len(whole.splits["validation"]))]
    splits = (
        {"train": whole.train[:train], "validation": held} if validation else {"train": whole.train[:train]}
    )
    return replace(whole, splits=splits)
