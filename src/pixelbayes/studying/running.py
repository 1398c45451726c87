"""Running a study: each trial once, whatever is killed, by as many processes as there are."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from shutil import rmtree
from typing import Any

import torch

from ..api import open_data, train
from ..data import Dataset, ImageSet, canonical
from ..distributed import pick_device
from ..errors import UserError
from ..evaluating import evaluate, held_out
from ..extensions import import_extensions
from ..folders import STATE
from ..journals import read_rows
from ..model import AutoregressiveImageModel
from ..progress import say, spell_seconds, warn
from .claims import Claim, Ledger
from .costs import minutes_of, told_before
from .definition import Study, Trial, load_study
from .tables import write_results

POLL = 2.0  # seconds between looks at what other processes do


@dataclass(frozen=True)
class StudyResult:
    """Where the files are, and the figures of every trial that is done, by its name."""

    folder: Path
    figures: dict[str, dict[str, Any]]
    failed: dict[str, str] = field(default_factory=dict)
    """Trials that could not be trained, and why."""


def study(
    which: "str | Path | Study",
    data: str | Path | None = None,
    *,
    out: str | Path | None = None,
    storage: str | None = None,
    seeds: Sequence[int] | None = None,
    minutes: float | None = None,
    max_steps: int | None = None,
    images: int | None = None,
    root: str | Path | None = None,
    device: str = "auto",
    plan_only: bool = False,
    imports: Iterable[str] = (),
) -> StudyResult:
    """Train every trial of a study, a name of `studies()` or a TOML file, and write its tables and plots to `out`.

    The same call again, after a kill or beside a first process, goes on: trials that are done stay, one that was
    interrupted continues from its last state. `storage`: a database's URL (OUT/study.db when None). With `plan_only`,
    the cost is told and nothing is trained. Raises UserError for whatever the user can mend, before the first trial.

    Args:
        which: a name, a TOML file or a `Study`.
        data: the images, where the study does not name them.
        out: the folder; runs/study-NAME when None.
        storage: a database's URL; None: a file in `out`.
        seeds: other ones than the study's.
        minutes: of each trial, instead of the study's.
        max_steps: of each trial, instead.
        images: how many held-out images judge a trial at most, the same in all; None: what the study says, or all.
        root: the folder of a standard set's files.
        device: "cpu", "cuda", "cuda:1", ...; "auto": a GPU if there is one.
        plan_only: tell the cost, train nothing.
        imports: Python modules with networks, distributions, strategies or objectives of your own.

    Returns:
        A `StudyResult`: `.folder`, `.figures` of each trial, and `.failed`.

    Example:
        pb.study("report1-small", "cpen455/", seeds=[0, 1], minutes=2)
    """
    import_extensions(imports)
    place = pick_device(device)
    chosen = (
        which
        if isinstance(which, Study)
        else load_study(which, tuple(seeds) if seeds else None, minutes, max_steps, images)
    )
    source = data if data is not None else chosen.data
    if source is None:
        raise UserError(f"the study {chosen.name} does not say which images it is of: name them (--data)")
    overrides = {"data.root": str(root)} if root is not None else {}
    dataset = _open(chosen.trials[0], source, overrides)
    folder = Path(out) if out is not None else Path("runs") / f"study-{chosen.name}"
    judged = _judged(dataset, chosen.images)
    if not judged:
        raise UserError(f"{dataset.name} has no validation images, which judge the trials of a study")
    digests = chosen.digests(f"{canonical(source)} {dataset.fingerprint()}")
    ledger = _ledger(folder, storage, chosen) if not plan_only or (folder / "study.db").exists() else None
    done = ledger.completed() if ledger else {}
    if ledger:
        ledger.check(digests)
    left = [trial for trial in chosen.trials if trial.name not in done]
    for line in told_before(
        chosen, judged, minutes_of(left, dataset, place, judged) if left else [], len(left)
    ):
        say(line)
    if ledger is None or plan_only:
        return StudyResult(folder, done)
    worker = _Worker(chosen, source, folder, ledger, digests, device, overrides)
    worker.work()
    result = StudyResult(folder, ledger.completed(), worker.failed)
    worker.write(result.figures)
    return result


def _ledger(folder: Path, storage: str | None, chosen: Study) -> Ledger:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot use the folder {folder}: {error.strerror or error}") from error
    return Ledger(storage or f"sqlite:///{(folder / 'study.db').resolve()}", chosen.name)


def _open(trial: Trial, source: str | Path, overrides: dict[str, Any]) -> Dataset:
    from ..recipe import override

    return open_data(source, None, override(trial.recipe, overrides) if overrides else trial.recipe)


def _judged(dataset: Dataset, most: int | None) -> int:
    images = len(dataset.validation) if dataset.validation is not None else 0
    return images if most is None else min(images, most)


def _some(images: ImageSet, most: int | None) -> ImageSet:
    """So many images at most, whatever the trial."""
    if most is None or most >= len(images):
        return images
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return images[order[:most].sort().values]


@dataclass
class _Worker:
    """One process's part of a study."""

    study: Study
    source: str | Path
    folder: Path
    ledger: Ledger
    digests: dict[str, str]
    device: str
    overrides: dict[str, Any]
    failed: dict[str, str] = field(default_factory=dict)

    def work(self) -> None:
        """Trials until none is left; then wait for those of other processes, since one of these may be killed."""
        trials, told = {trial.name: trial for trial in self.study.trials}, False
        while True:
            names = [name for name in trials if name not in self.failed]
            claim = self.ledger.claim(names, self.digests)
            if claim is not None:
                self.do(claim, trials[claim.name])
                continue
            done = self.ledger.completed().keys()
            if not (set(names) - done):
                return
            if not told:
                say("the trials that are left are at work in other processes; waiting for them")
                told = True
            time.sleep(POLL)

    def do(self, claim: Claim, trial: Trial) -> None:
        """Train and judge one trial, and enter what was found."""
        place = len(self.ledger.completed()) + 1
        say(f"\ntrial {trial.name} ({place} of {len(self.study.trials)})")
        start = time.monotonic()
        try:
            with self.ledger.alive(claim):
                self._begin_anew_if_changed(claim, trial)
                figures = self.figures(trial)
        except UserError as error:
            self.ledger.withdraw(claim, str(error))
            self.failed[trial.name] = str(error)
            warn(f"the trial {trial.name} cannot be done: {error}")
            return
        except BaseException:
            self.ledger.withdraw(claim, "interrupted")
            raise
        if not self.ledger.complete(claim, figures, figures["bits_per_dim"]):
            warn(f"the trial {trial.name} was finished by another process meanwhile; its figures stay")
            return
        scored = f", accuracy {figures['accuracy']:.1%}" if figures["accuracy"] is not None else ""
        took = spell_seconds(time.monotonic() - start)
        say(f"trial {trial.name}: {figures['bits_per_dim']:.4f} bits/dim{scored} ({took})")
        self.write(self.ledger.completed())

    def _begin_anew_if_changed(self, claim: Claim, trial: Trial) -> None:
        """Forget the state of a trial that was interrupted with other settings or data than today's."""
        state = self.folder / "trials" / trial.name / STATE
        if state.is_dir() and self.ledger.begun_otherwise(claim, self.digests[trial.name]):
            warn(f"the trial {trial.name} was begun with other settings or data, and begins anew")
            rmtree(state)

    def figures(self, trial: Trial) -> dict[str, Any]:
        """Train, or go on where the trial was interrupted, and measure on the held-out images."""
        place = self.folder / "trials" / trial.name
        begun = (place / STATE).is_dir()
        model = train(
            self.source, recipe=trial.recipe, out=place, minutes=trial.minutes, max_steps=trial.max_steps,
            seed=trial.seed, device=self.device, resume=begun, overwrite=not begun, **self.overrides,
        )  # fmt: skip
        found = evaluate(model, _some(held_out(model), self.study.images), progress=False)
        bits = found.bits_per_dim if found.bits_per_dim is not None else found.marginal_bits_per_dim
        if not isfinite(bits):
            raise UserError("the bits/dim on the held-out images are not finite")
        return {
            "bits_per_dim": bits,
            "accuracy": found.accuracy,
            "balanced_accuracy": found.balanced_accuracy,
            "macro_f1": found.macro_f1,
            "images": found.images,
            **_of_training(model, place),
        }

    def write(self, figures: dict[str, dict[str, Any]]) -> None:
        """The tables and plots of what is done so far."""
        write_results(self.study, figures, self.curves(), self.folder)

    def curves(self) -> Iterator[dict[str, Any]]:
        """The validations of every trial whose folder is here, from its journal."""
        for trial in self.study.trials:
            for row in read_rows(self.folder / "trials" / trial.name / "journal.csv"):
                if row.get("validation_bits_per_dim"):
                    yield {**row, "variant": trial.variant, "seed": trial.seed}


def _of_training(model: AutoregressiveImageModel, place: Path) -> dict[str, Any]:
    training = model.record.training
    rows = [row for row in read_rows(place / "journal.csv") if row.get("gap_bits_per_dim")]
    kept = [row for row in rows if row["step"] == str(training.step)] or rows[-1:]
    return {
        "gap_bits_per_dim": float(kept[-1]["gap_bits_per_dim"]) if kept else None,
        "steps": training.steps or None,
        "minutes": round(training.seconds / 60, 3) if training.steps else None,
        "parameters": model.num_parameters,
    }
