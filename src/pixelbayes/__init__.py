"""pixelbayes: image models with exact likelihoods, which generate images and classify them by Bayes' rule.

    import pixelbayes as pb

    model = pb.train("digits", minutes=1)
    images = pb.generate(model, labels=[0, 1, 2])
    answer = pb.classify(model, images)

Names are imported when they are first used, so that `import pixelbayes` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .api import create as create
    from .api import train as train
    from .asking import classify as classify
    from .asking import log_prob as log_prob
    from .calibrating import calibrate as calibrate
    from .causality import check_causality as check_causality
    from .checkpoint import load as load
    from .checkpoint import save as save
    from .comparing import compare as compare
    from .cross_validation import cross_validate as cross_validate
    from .data import Dataset as Dataset
    from .data import ImageSet as ImageSet
    from .data import open_dataset as open_dataset
    from .data import save_image as save_image
    from .detecting import detect as detect
    from .detecting import fit_detector as fit_detector
    from .detecting import load_detector as load_detector
    from .detecting import measure_foreign as measure_foreign
    from .distributions import register_distribution as register_distribution
    from .errors import UserError as UserError
    from .estimator import PixelBayesClassifier as PixelBayesClassifier
    from .evaluating import evaluate as evaluate
    from .explaining import explain as explain
    from .fusion import register_operation as register_operation
    from .fusion import register_strategy as register_strategy
    from .generation_quality import measure_generation as measure_generation
    from .labels import Labels as Labels
    from .levels import ImageShape as ImageShape
    from .measure import bits_per_dim as bits_per_dim
    from .model import AutoregressiveImageModel as AutoregressiveImageModel
    from .networks import register_network as register_network
    from .objectives import register_objective as register_objective
    from .outside import adapt as adapt
    from .progress import set_sink as set_sink
    from .recipe import Recipe as Recipe
    from .recipe import load_recipe as load_recipe
    from .reference_weights import import_weights as import_weights
    from .reporting import report as report
    from .reports import register_section as register_section
    from .studying import study as study
    from .tasks.complete import complete as complete
    from .tasks.detect import save_detector as save_detector
    from .tasks.generate import generate as generate
    from .training.duties import register_duty as register_duty
    from .walk_check import check_walk as check_walk

_PLACES = {
    "AutoregressiveImageModel": "model",
    "Dataset": "data",
    "ImageSet": "data",
    "ImageShape": "levels",
    "Labels": "labels",
    "PixelBayesClassifier": "estimator",
    "Recipe": "recipe",
    "UserError": "errors",
    "adapt": "outside",
    "bits_per_dim": "measure",
    "calibrate": "calibrating",
    "check_causality": "causality",
    "check_walk": "walk_check",
    "compare": "comparing",
    "complete": "tasks.complete",
    "classify": "asking",
    "create": "api",
    "cross_validate": "cross_validation",
    "detect": "detecting",
    "evaluate": "evaluating",
    "explain": "explaining",
    "fit_detector": "detecting",
    "generate": "tasks.generate",
    "import_weights": "reference_weights",
    "load": "checkpoint",
    "load_detector": "detecting",
    "load_recipe": "recipe",
    "log_prob": "asking",
    "measure_foreign": "detecting",
    "measure_generation": "generation_quality",
    "open_dataset": "data",
    "register_distribution": "distributions",
    "register_duty": "training.duties",
    "register_network": "networks",
    "register_objective": "objectives",
    "register_operation": "fusion",
    "register_section": "reports",
    "register_strategy": "fusion",
    "report": "reporting",
    "save": "checkpoint",
    "save_detector": "tasks.detect",
    "save_image": "data",
    "set_sink": "progress",
    "study": "studying",
    "train": "api",
}

_VERBS = {
    name
    for name in _PLACES
    if name.islower() and not name.startswith("register_") and name not in ("set_sink", "adapt")
}
"""Functions, whose messages speak Python."""

_ROOMS = ("data", "distributions", "fusion", "measure", "networks", "objectives", "training")

__all__ = ["__version__", *_PLACES]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    if name not in _PLACES:
        raise AttributeError(f"module 'pixelbayes' has no attribute '{name}'")
    value = getattr(import_module(f".{_PLACES[name]}", __name__), name)
    if name in _VERBS:
        from .wording import speaks_python

        value = speaks_python(value)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
