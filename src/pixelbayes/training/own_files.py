"""Which files of a folder a training run may replace: those that an earlier run there wrote, and no others."""

from pathlib import Path

from ..products import Products

SUMMARY = "training.json"
"""Written when a run has come to its end."""

FIXED = (
    "config.json",
    "model.safetensors",
    "journal.csv",
    "curves.png",
    "samples.png",
    "augmented.png",
    SUMMARY,
)
NUMBERED = ("state/[0-9]*.safetensors", "samples/step-*.png")
FORGOTTEN = (*NUMBERED, "events/*", SUMMARY)
"""What a run that begins anew deletes of the earlier one; the rest is replaced when the new one is there."""


def products_of(out: Path) -> Products:
    """The list of what runs wrote into this folder."""
    return Products(out, "run")


def refuse_foreign(out: Path) -> None:
    """Raise UserError where a run would write over files that no run wrote."""
    there = [path.relative_to(out).as_posix() for pattern in NUMBERED for path in out.glob(pattern)]
    folders = [name for name in ("state", "samples", "events") if (out / name).is_symlink()]
    products_of(out).refuse_foreign((*FIXED, *sorted(there), *folders))


def claim_files(out: Path, resumed: bool) -> None:
    """List the files that the run writes under fixed names; a run that begins anew forgets the one before.

    A resumed run takes over what lies in its folder: an older version kept no list.
    """
    products = products_of(out)
    if not resumed:
        refuse_foreign(out)
        products.drop(name for pattern in FORGOTTEN for name in products.matching(pattern))
    else:
        products.note(f"state/{path.name}" for path in (out / "state").glob("[0-9]*.safetensors"))
    products.note(FIXED)
