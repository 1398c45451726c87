"""A model's card in the Hub's form: what it is, what it was trained on, its figures, its limits, how to repeat it.

The form is that of the Hub's model cards (Mitchell et al. 2019): a YAML head that the Hub reads, then Markdown.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .files import whole
from .model import AutoregressiveImageModel
from .model_config import spec
from .records import TrainingRecord

CARD = "README.md"

HEAD = """---
library_name: pixelbayes
pipeline_tag: image-classification
license: {licence}
tags:
- autoregressive
- exact-likelihood
- generative-classifier
- {network}
---
"""

BODY = """# {name}

One class-conditional autoregressive model of {shape}: it draws images of a class, and classifies by Bayes' rule.

```python
import pixelbayes as pb

model = pb.load("{name}")
images = pb.generate(model, labels=[0, 0, 1])
answer = pb.classify(model, images)
```

## What it is

{what}

## Data

{data}

## Figures

{figures}

## Limits

{limits}

## How it was made

{command}
"""


def model_card(
    model: AutoregressiveImageModel,
    name: str,
    figures: Mapping[str, str] | None = None,
    limits: str = "",
    command: str = "",
    licence: str = "mit",
) -> str:
    """Returns the card as Markdown; `figures` stand beside those that training noted, by what they are of."""
    return HEAD.format(licence=licence, network=spec(model.config)["network"]["name"]) + BODY.format(
        name=name,
        shape=f"{model.shape}",
        what=_table(_what(model)),
        data=_data(model),
        figures=_table({**_noted(model.record.training), **(figures or {})}) or "None were measured.",
        limits=limits or "It knows images of its own kind and size only; others get a class as well.",
        command=f"```\n{command}\n```" if command else "Not told.",
    )


def write_card(model: AutoregressiveImageModel, folder: str | Path, **facts: Any) -> Path:
    """Write the card into a model's folder, where the Hub looks for it. Raises UserError where that cannot be."""
    path = Path(folder) / CARD
    with whole(path) as temporary:
        temporary.write_text(model_card(model, Path(folder).name, **facts), encoding="utf-8")
    return path


def _what(model: AutoregressiveImageModel) -> dict[str, str]:
    parts = spec(model.config)
    training = model.record.training
    return {
        "network": _spell(parts["network"]),
        "distribution": _spell(parts["distribution"]),
        "label strategy": str(parts["fusion"]["strategy"]),
        "parameters": f"{model.num_parameters:,}",
        "classes": ", ".join(model.classes.names) or "none",
        "training": f"{training.epochs:g} epochs, {training.seconds / 60:.1f} minutes on "
        f"{training.device or 'an unknown device'}, seed {training.seed if training.steps else 'unknown'}",
    }


def _spell(part: Mapping[str, Any]) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in part.items() if name != "name")
    return f"{part['name']} ({settings})" if settings else str(part["name"])


def _data(model: AutoregressiveImageModel) -> str:
    record = model.record.data
    source = Path(record.source or "not told").name
    return f"`{source}`, as {model.shape} (files: {record.original or 'as they are'})."


def _noted(training: TrainingRecord) -> dict[str, str]:
    """The validation figures that chose the weights, in words."""
    bits, accuracy = training.figure("bits_per_dim"), training.figure("accuracy")
    noted = {} if bits is None else {"bits/dim (validation, which chose the weights)": f"{bits:.4f}"}
    if accuracy is not None:
        noted["accuracy as the likelihoods say (the same images)"] = f"{accuracy:.1%}"
    return noted


def _table(rows: Mapping[str, str]) -> str:
    return (
        "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])
        if rows
        else ""
    )
