"""Which pixels speak for an answer: evidence maps of some of the held-out images."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..errors import UserError
from ..measure.reliability import surest_mistakes
from ..pictures.evidence import evidence_sheet, panels_of
from ..tasks.classify import can_classify
from ..tasks.explain import explain
from .sections import register_section
from .source import Source, drawn

SHOWN = 6
MOST_CLASSES = 50
"""Beyond, a pass under every class takes too long for a page."""


@register_section("evidence", "Which pixels speak for the answer")
def evidence(source: Source) -> Mapping[str, Any] | None:
    """A sheet of maps: of right answers to images of different classes, and of the surest mistakes."""
    model, images, answers = source.model, source.images, source.answers
    if model is None or images is None or answers is None or not can_classify(model):
        return None
    if not 2 <= len(model.classes) <= MOST_CLASSES or not len(images):
        return None
    chosen = images[_some(answers.posterior, images.labels)]
    try:
        explained = explain(model, chosen.levels)
    except UserError:  # weights that are not finite have no evidence
        return None
    return {"picture": drawn(lambda path: evidence_sheet(panels_of(explained, chosen), path))}


def _some(posterior: Tensor, labels: Tensor) -> Tensor:
    """Rows of the surest right answer for each class, and after them of the surest mistakes: half of them at most."""
    wrong = surest_mistakes(posterior, labels)[: SHOWN // 2].tolist()
    sure, predicted = posterior.max(1)
    first_of: dict[int, int] = {}
    for row in sure.argsort(descending=True).tolist():
        if row not in wrong and (labels[row] < 0 or labels[row] == predicted[row]):
            first_of.setdefault(int(predicted[row]), row)
    right = list(first_of.values())[: SHOWN - len(wrong)]
    return torch.tensor([*right, *wrong], dtype=torch.long)
