"""What a recipe costs: parameters, and the arithmetic of one image."""

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from . import __version__
from .data.cache import cache_folder
from .errors import UserError
from .files import whole
from .labels import Labels
from .model import build
from .recipe import Recipe


@dataclass(frozen=True)
class Cost:
    """`flop` are those of one full pass over one image (a multiplication and an addition are two)."""

    parameters: int
    flop: int


def cost(recipe: Recipe) -> Cost:
    """Count without computing: the network runs on a device that holds no numbers.

    Classifying an image takes one pass for each class, a training step about three, and the walk that draws an
    image about one. Raises UserError when the recipe leaves the images' shape to the data.
    """
    shape = recipe.shape
    if shape is None:
        raise UserError(f"the recipe {recipe.name} leaves the images' shape to the data")
    model = build(shape, Labels(recipe.classes), recipe.network, recipe.distribution, recipe.fusion)
    model = model.to("meta").eval()
    image = torch.zeros(1, shape.channels, shape.height, shape.width, device="meta")
    label = torch.zeros(1, dtype=torch.int64, device="meta") if recipe.classes else None
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.pixel_parameters(image, label)
    return Cost(model.num_parameters, counter.get_total_flops())


def remembered_cost(recipe: Recipe) -> Cost:
    """`cost`, counted once: the result is kept beside the decoded images, under all that it depends on."""
    question = [__version__, recipe.to_dict() | {"name": "", "summary": "", "source": "", "training": {}}]
    digest = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()[:24]
    file = cache_folder() / "costs" / f"{digest}.json"
    try:
        return Cost(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        result = cost(recipe)
    with suppress(UserError), whole(file) as temporary:  # a folder that cannot be written costs only time
        temporary.write_text(json.dumps(asdict(result)), encoding="utf-8")
    return result
