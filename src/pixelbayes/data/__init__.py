"""Images as integer levels: folders, CSV splits, standard sets, arrays; their cache and augmentation."""

from .arrays import from_arrays
from .augmentation import Augment, AugmentConfig, cuts_nothing
from .config import DataConfig
from .image_set import Dataset, ImageSet
from .opening import canonical, default_split, open_dataset, open_images
from .saving import save_image
from .sources import STANDARD_SETS

__all__ = [
    "STANDARD_SETS",
    "Augment",
    "AugmentConfig",
    "DataConfig",
    "Dataset",
    "ImageSet",
    "canonical",
    "cuts_nothing",
    "default_split",
    "from_arrays",
    "open_dataset",
    "open_images",
    "save_image",
]
