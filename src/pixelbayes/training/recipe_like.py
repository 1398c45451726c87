"""What training needs of a recipe (`pixelbayes.recipe.Recipe` stands below this room)."""

from typing import Any, Protocol

from ..data import AugmentConfig
from ..fusion import FusionConfig
from .config import TrainingConfig


class RecipeLike(Protocol):
    """A network, a distribution, how labels enter, what to minimise, and how to train and augment."""

    @property
    def network(self) -> Any: ...
    @property
    def distribution(self) -> Any: ...
    @property
    def fusion(self) -> FusionConfig: ...
    @property
    def objective(self) -> Any: ...
    @property
    def training(self) -> TrainingConfig: ...
    @property
    def augment(self) -> AugmentConfig: ...
