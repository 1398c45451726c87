"""Ready models by name: those that came with the package, those of a checkout, and the Hub's."""

from pathlib import Path

HUB = "pixelbayes"
"""The Hub's organisation in which a bare name is looked for last."""


def ready_folders() -> list[Path]:
    """Where ready models lie: in the package, then in the checkout that it is run from (`models/`)."""
    package = Path(__file__).parent
    return [shelf for shelf in (package / "models", package.parents[1] / "models") if shelf.is_dir()]


def ready_models() -> dict[str, Path]:
    """The ready models on this machine by name; what lies in the package comes first.

    >>> "digits" in ready_models()
    True
    """
    models: dict[str, Path] = {}
    for shelf in ready_folders():
        for folder in sorted(path.parent for path in shelf.glob("*/config.json")):
            models.setdefault(folder.name, folder)
    return models
