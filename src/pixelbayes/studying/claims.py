"""Who works on which trial: an Optuna storage (SQLite, or any database) in which trials are claimed.

A claim is an Optuna trial in the state RUNNING that is born with the name of what it is for, in one transaction. Of two
claims of the same trial the one with the lower number holds; the other sees it and withdraws. A claim whose process
is gone is failed by whoever finds it: on this machine at once, since the process is looked for; on another, when it
has not said for some minutes that it is alive. So a trial is completed once, whatever is killed and when.
"""

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from ..errors import UserError

BEAT = 20.0  # seconds between signs of life
GRACE = 300.0  # seconds without one after which a claim of another machine is void
PATIENCE = 120  # seconds that SQLite waits for another process to finish writing


@dataclass(frozen=True)
class Claim:
    """A trial that this process works on."""

    name: str
    number: int


class Ledger:
    """The state of every trial of one study. Raises UserError for a storage that cannot be used."""

    def __init__(self, url: str, study: str) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        waiting = {"connect_args": {"timeout": PATIENCE}} if url.startswith("sqlite") else {}
        try:
            storage = optuna.storages.RDBStorage(url, engine_kwargs=waiting)
            self._study = optuna.create_study(
                storage=storage, study_name=study, direction="minimize", load_if_exists=True
            )
        except (
            Exception
        ) as error:  # drivers that are missing, servers that do not answer, files that are no database
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise UserError(f"the storage {_without_password(url)} cannot be used: {reason}") from None

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=states)

    def completed(self) -> dict[str, dict[str, Any]]:
        """The figures of every trial that is done, by its name."""
        done = self._trials(TrialState.COMPLETE)
        return {trial.user_attrs["name"]: dict(trial.user_attrs["figures"]) for trial in reversed(done)}

    def running(self) -> set[str]:
        """The names of the trials that somebody works on."""
        self._fail_lost()
        return {trial.user_attrs["name"] for trial in self._trials(TrialState.RUNNING)}

    def check(self, digests: Mapping[str, str]) -> None:
        """UserError where a trial of one of these names was made, or is at work, with other settings or data."""
        for trial in self._trials(TrialState.COMPLETE, TrialState.RUNNING):
            name, own = trial.user_attrs["name"], trial.user_attrs["digest"]
            if digests.get(name, own) != own:
                raise UserError(
                    f"the trial {name} was made with other settings or data: choose another --out for the changed study"
                )

    def begun_otherwise(self, claim: Claim, digest: str) -> bool:
        """Whether those who worked on the trial before had other settings or data, the last of them."""
        failed = self._trials(TrialState.FAIL)
        earlier = [t for t in failed if t.user_attrs["name"] == claim.name and t.number < claim.number]
        return bool(earlier) and earlier[-1].user_attrs["digest"] != digest

    def claim(self, names: Sequence[str], digests: Mapping[str, str]) -> Claim | None:
        """The first trial of these that is neither done nor claimed, now claimed; None where there is none."""
        self._fail_lost()
        taken = {t.user_attrs["name"] for t in self._trials(TrialState.COMPLETE, TrialState.RUNNING)}
        for name in names:
            if name not in taken and (claim := self._try(name, digests[name])) is not None:
                return claim
        return None

    def _try(self, name: str, digest: str) -> Claim | None:
        token = uuid.uuid4().hex
        attributes = {"name": name, "digest": digest, "token": token, "alive_at": time.time(), **_process()}
        self._study.add_trial(optuna.create_trial(state=TrialState.RUNNING, user_attrs=attributes))
        same = [
            t for t in self._trials(TrialState.COMPLETE, TrialState.RUNNING) if t.user_attrs["name"] == name
        ]
        own = next(trial for trial in same if trial.user_attrs["token"] == token)
        if any(t.number < own.number or t.state == TrialState.COMPLETE for t in same):
            self._fail(own.number)
            return None
        return Claim(name, own.number)

    def complete(self, claim: Claim, figures: Mapping[str, Any], value: float) -> bool:
        """Enter what was found; False where the claim was void by then, and nothing is entered."""
        with suppress(Exception):
            self._attribute(claim, "figures", dict(figures))
        try:
            self._study.tell(claim.number, value)
        except (ValueError, RuntimeError):  # optuna's word for a trial that is finished already
            return False
        return True

    def withdraw(self, claim: Claim, reason: str) -> None:
        """Give the trial back, so that it can be claimed again."""
        with suppress(Exception):
            self._attribute(claim, "reason", reason)
        self._fail(claim.number)

    @contextmanager
    def alive(self, claim: Claim) -> Iterator[None]:
        """Say every now and then that this process is at work."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(BEAT):
                with suppress(Exception):  # a database that is busy is asked again
                    self._attribute(claim, "alive_at", time.time())

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _attribute(self, claim: Claim, name: str, value: Any) -> None:
        found = next(
            trial for trial in self._study.get_trials(deepcopy=False) if trial.number == claim.number
        )
        Trial(self._study, found._trial_id).set_user_attr(name, value)

    def _fail(self, number: int) -> None:
        with suppress(ValueError, RuntimeError):
            self._study.tell(number, state=TrialState.FAIL)

    def _fail_lost(self) -> None:
        for trial in self._trials(TrialState.RUNNING):
            if _is_lost(trial.user_attrs):
                self._fail(trial.number)


def _process() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "begun": _begun(os.getpid())}


def _begun(pid: int) -> str:
    """When a process began, as the system counts, which tells it from a later one; empty where it cannot be had."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _is_lost(claim: Mapping[str, Any]) -> bool:
    """Whether nobody works on a claim any more."""
    if claim["host"] != socket.gethostname():
        return time.time() - float(claim["alive_at"]) > GRACE
    try:
        os.kill(claim["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False  # it lives, and is somebody else's
    if _is_zombie(claim["pid"]):
        return True
    return bool(claim["begun"]) and claim["begun"] != _begun(claim["pid"])


def _is_zombie(pid: int) -> bool:
    """Whether a process has ended, and its parent has not yet asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False


def _without_password(url: str) -> str:
    """A database's URL as it may be shown.

    >>> _without_password("postgresql://ann:secret@host/db")
    'postgresql://ann:...@host/db'
    """
    head, at, tail = url.rpartition("@")
    start, colon, _ = head.rpartition(":")
    return f"{start}:...@{tail}" if at and colon and not start.endswith(("sqlite", "//")) else url
