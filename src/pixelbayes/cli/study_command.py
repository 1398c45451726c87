"""`pixelbayes study`: which setting is better, by how much, and is it sure?"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from ..errors import UserError
from .arguments import Device, Flag, optional, read


@dataclass
class StudyOptions:
    """Train every variant of a study with every seed, and say which differences are more than chance.

    STUDY is one that comes with the package, or a TOML file. Without it, the studies are listed. The
    cost is printed before the work. OUT gets study.csv, study.md (means and spreads over seeds), study.png,
    curves.png, a plot along each number that was varied, and report.html, one page with all of it. The same command
    again continues where it was stopped, also by a kill; run at the same time by several processes (on several
    machines with --storage), they share the trials.

    examples:
      pixelbayes study
      pixelbayes study report3-scan-resnets-small --data cpen455/ --dry-run
      pixelbayes study report1-small --data cpen455/ --seeds 0,1,2
      pixelbayes study my-study.toml --out runs/mine
      pixelbayes study runs/mine --show
    """

    study: Annotated[str | None, Positional, arg(metavar="STUDY", help_behavior_hint="")] = None
    """A study's name or TOML file; with --show, its folder."""
    data: Annotated[str | None, optional("DATA")] = None
    """The images, where the study does not name them."""
    root: Annotated[Path | None, optional("FOLDER")] = None
    """The folder of a standard set's files."""
    out: Annotated[Path | None, optional("FOLDER")] = None
    """The folder to write and to continue in; runs/study-NAME when not given."""
    seeds: Annotated[str | None, optional("0,1,2")] = None
    """Other seeds than the study's."""
    minutes: Annotated[float | None, optional("M")] = None
    """Another budget for each trial."""
    max_steps: Annotated[int | None, optional("N")] = None
    """So many steps for each trial instead."""
    images: Annotated[int | None, optional("N")] = None
    """So many held-out images judge each trial, the same in all; otherwise what the study says, or all."""
    storage: Annotated[str | None, optional("URL")] = None
    """A database that several machines share, such as postgresql://user@host/name (OUT/study.db when not given)."""
    device: Device = "auto"
    dry_run: Flag = False
    """Print the trials and what they cost, and train nothing."""
    show: Flag = False
    """Draw the table and the plots of a study's folder again, from its CSV."""
    imports: Annotated[UseAppendAction[tuple[str, ...]], optional("MODULE", name="import")] = ()
    """A Python module with your own network, distribution or label strategy; may be repeated."""


def run(arguments: Sequence[str]) -> None:
    options = read(StudyOptions, arguments, "study")
    from ..progress import say
    from .presenting import check_positive

    check_positive(options.minutes, "--minutes")
    check_positive(options.max_steps, "--max-steps")
    check_positive(options.images, "--images")
    if options.study is None:
        _list()
        return
    if options.show:
        from ..studying import redraw

        for path in redraw(options.study):
            say(f"written: {path}")
        _present(Path(options.study))
        return
    from ..reporting import PAGE, report
    from ..studying import study

    result = study(
        options.study, options.data, out=options.out, storage=options.storage, seeds=_seeds(options.seeds),
        minutes=options.minutes, max_steps=options.max_steps, images=options.images, root=options.root,
        device=options.device, plan_only=options.dry_run, imports=options.imports,
    )  # fmt: skip
    if options.dry_run:
        return
    _present(result.folder)
    if result.figures:
        report(result.folder, result.folder / PAGE, overwrite=True)
    say(f"written: {result.folder}/study.csv, study.md, study.png, curves.png, {PAGE}")
    if result.failed:
        name, reason = next(iter(result.failed.items()))
        raise UserError(f"{len(result.failed)} trials could not be done, such as {name}: {reason}")


def _list() -> None:
    """The studies that come with the package, and what they take."""
    from ..studying import load_study, studies
    from .presenting import add_names, number, plain_table, show

    table = plain_table("studies; pixelbayes study NAME --dry-run says what one takes here")
    add_names(table, "study", studies())
    for heading in ("trials", "minutes\neach"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("what it compares")
    for name in studies():
        found = load_study(name)
        minutes = number(found.trials[0].minutes, "g") or "epochs"
        table.add_row(name, str(len(found.trials)), minutes, f"{found.summary} ({found.source})")
    show(table)


def _present(folder: Path) -> None:
    """The table of means, in 80 columns; study.md has all of it."""
    from ..studying.tables import cells_of, note_on, read_table
    from .presenting import add_names, plain_table, show

    rows = read_table(folder / "study.csv")
    if not rows:
        return
    cells = cells_of(rows)
    table = plain_table("means over seeds; below, whether the difference from the first is more than chance")
    add_names(table, "variant", [each[0] for each in cells])
    for heading in ("seeds", "bits/dim", "accuracy", "minutes"):
        table.add_column(heading, justify="right", no_wrap=True)
    for variant, seeds, bits, accuracy, _, minutes, beside_bits, beside_accuracy in cells:
        table.add_row(variant, seeds, f"{bits}\n{beside_bits}", f"{accuracy}\n{beside_accuracy}", minutes)
    show(table)
    print(note_on(rows))


def _seeds(text: str | None) -> tuple[int, ...] | None:
    """'0,1,2' as numbers."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words or not all(word.isdecimal() for word in words):
        raise UserError(f"--seeds are whole numbers with commas, such as 0,1,2, not '{text}'")
    return tuple(int(word) for word in words)
