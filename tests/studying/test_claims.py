"""A trial is completed once, whoever claims it and whoever is killed."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from pixelbayes.errors import UserError
from pixelbayes.studying import claims
from pixelbayes.studying.claims import Ledger

NAMES = [f"trial{number}" for number in range(6)]
DIGESTS = dict.fromkeys(NAMES, "same")


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'study.db'}"


def test_a_claimed_trial_is_not_given_again_and_a_finished_one_stays(tmp_path: Path) -> None:
    one, other = Ledger(url(tmp_path), "s"), Ledger(url(tmp_path), "s")
    first = one.claim(NAMES[:2], DIGESTS)
    assert first is not None
    second = other.claim(NAMES[:2], DIGESTS)
    assert second is not None
    assert {first.name, second.name} == set(NAMES[:2])
    assert one.claim(NAMES[:2], DIGESTS) is None
    assert one.running() == set(NAMES[:2])
    assert one.complete(first, {"bits_per_dim": 1.0}, 1.0)
    other.withdraw(second, "interrupted")
    assert other.completed() == {first.name: {"bits_per_dim": 1.0}}
    again = one.claim(NAMES[:2], DIGESTS)
    assert again is not None
    assert again.name == second.name
    assert not one.complete(second, {"bits_per_dim": 2.0}, 2.0)  # its claim is void


def work(place: str, told: "multiprocessing.Queue[str]") -> None:
    ledger = Ledger(place, "s")
    while (claim := ledger.claim(NAMES, DIGESTS)) is not None:
        time.sleep(0.01)
        assert ledger.complete(claim, {"bits_per_dim": 1.0}, 1.0)
        told.put(claim.name)


def test_two_processes_share_the_trials(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    told: multiprocessing.Queue[str] = context.Queue()
    Ledger(url(tmp_path), "s")
    workers = [context.Process(target=work, args=(url(tmp_path), told)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert sorted(told.get(timeout=5) for _ in NAMES) == NAMES
    assert told.empty()


def hang(place: str) -> None:
    assert Ledger(place, "s").claim(NAMES[:1], DIGESTS) is not None
    time.sleep(60)


def test_the_claim_of_a_killed_process_is_void_at_once(tmp_path: Path) -> None:
    ledger = Ledger(url(tmp_path), "s")
    child = multiprocessing.get_context("fork").Process(target=hang, args=(url(tmp_path),))
    child.start()
    while not ledger.running():
        time.sleep(0.05)
    assert ledger.claim(NAMES[:1], DIGESTS) is None
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert ledger.running() == set()
    assert ledger.claim(NAMES[:1], DIGESTS) is not None


def test_a_silent_claim_of_another_machine_is_void_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(url(tmp_path), "s")
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(claims.socket, "gethostname", lambda: "elsewhere")
        claim = ledger.claim(NAMES[:1], DIGESTS)
    assert claim is not None
    assert ledger.claim(NAMES[:1], DIGESTS) is None
    monkeypatch.setattr(claims, "GRACE", -1.0)
    assert ledger.claim(NAMES[:1], DIGESTS) is not None


def test_other_settings_under_the_same_name_are_refused(tmp_path: Path) -> None:
    ledger = Ledger(url(tmp_path), "s")
    ledger.claim(NAMES[:1], DIGESTS)
    ledger.check(DIGESTS)
    with pytest.raises(UserError, match="other settings or data"):
        ledger.check({NAMES[0]: "changed"})


@pytest.mark.parametrize(
    "place", ["nonsense", "nosuchdb://ann:secret@host/x", "sqlite:////no/such/folder/x.db"]
)
def test_a_storage_that_cannot_be_used_is_a_line_without_the_password(place: str) -> None:
    with pytest.raises(UserError, match="cannot be used") as found:
        Ledger(place, "s")
    assert "secret" not in str(found.value)
