"""Two processes (gloo) against one."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.training.run_small import child, recipe, train_small

from pixelbayes.journals import read_rows
from pixelbayes.training.run import Run
from pixelbayes.training.state_files import list_states


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def become(rank: int, ranks: int, port: int) -> None:
    """What torchrun sets."""
    variables = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": ranks, "LOCAL_WORLD_SIZE": ranks}
    others = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "test"}
    os.environ |= {name: str(value) for name, value in {**variables, **others}.items()}


def as_rank(rank: int, ranks: int, port: int, out: Path, epochs: float, batch: int, optimiser: str) -> None:
    """One rank's run by steps."""
    become(rank, ranks, port)
    train_small(out, recipe(epochs, batch=batch, clip=0.5, optimiser=optimiser).still())


def as_uneven_rank(rank: int, ranks: int, port: int, out: Path) -> None:
    """One rank's run by the clock, on machines of which each thinks the other half as fast."""
    become(rank, ranks, port)
    measure = Run.measure
    Run.measure = lambda self: measure(self) * (1 + 3 * rank)  # type: ignore[method-assign]
    train_small(out, recipe(1, batch=8).still(), minutes=0.06)


def together(out: Path, ranks: int, *arguments: Any, action: Callable[..., None] = as_rank) -> None:
    port = free_port()
    files = [out.with_name(f"told-{rank}.txt") for rank in range(ranks)]
    processes = [child(action, files[r], r, ranks, port, out, *arguments) for r in range(ranks)]
    for process in processes:
        process.join(90)
    assert [process.exitcode for process in processes] == [0] * ranks, [file.read_text() for file in files]


def losses(out: Path) -> list[float]:
    rows = read_rows(out / "journal.csv")
    return [float(row[name]) for row in rows for name in row if name.endswith("bits_per_dim") and row[name]]


@pytest.mark.parametrize(("batch", "optimiser"), [(8, "adam"), (9, "muon")])
def test_two_ranks_give_the_losses_of_one_process(tmp_path: Path, batch: int, optimiser: str) -> None:
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    train_small(alone, recipe(1, batch=batch, clip=0.5, optimiser=optimiser).still())
    together(shared, 2, 1, batch, optimiser)
    expected, found = losses(alone), losses(shared)
    assert len(expected) == len(found) > 10
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_a_run_of_two_ranks_goes_on_with_one(tmp_path: Path) -> None:
    both, alone = tmp_path / "both", tmp_path / "alone"
    together(both, 2, 0.5, 8, "adam")
    train_small(both, recipe(1, clip=0.5).still(), resume=True)
    train_small(alone, recipe(0.5, clip=0.5).still())
    train_small(alone, recipe(1, clip=0.5).still(), resume=True)
    one, other = load_file(list_states(both)[-1]), load_file(list_states(alone)[-1])
    assert all(torch.allclose(one[name], other[name], rtol=1e-3, atol=1e-4) for name in one)


def test_ranks_that_measure_unequally_stay_together(tmp_path: Path) -> None:
    run = tmp_path / "run"
    together(run, 2, action=as_uneven_rank)
    rows = read_rows(run / "journal.csv")
    assert [row for row in rows if row["validation_bits_per_dim"]]
