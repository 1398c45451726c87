"""A disk that is really full: an earlier run stays whole, and the error is one line without a thread's traceback."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tests.training.run_small import recipe, train_small

from pixelbayes import checkpoint
from pixelbayes.cli import main
from pixelbayes.errors import UserError
from pixelbayes.journals import Journal
from pixelbayes.training import train
from pixelbayes.training.state_files import list_states


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        made = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no disk can be made here: {error}")
    if made.returncode:
        pytest.skip(f"no disk can be made here: {made.stderr.strip()}")
    try:
        yield folder
    finally:  # lazily, since weights may still be mapped
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, leave: int = 0) -> None:
    """Take all of the disk but some bytes."""
    with (disk / "filling").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(max(0, file.tell() - leave))


def test_a_run_that_fills_the_disk_leaves_a_model_and_a_state(
    small_disk: Path, digits, tmp_path: Path
) -> None:
    out = small_disk / "run"
    train_small(out, recipe(), max_steps=2)
    before = {
        path.name: path.read_bytes()
        for path in out.iterdir()
        if path.name in ("config.json", "model.safetensors")
    }
    steps = [path.name for path in list_states(out)]
    fill(small_disk)
    with pytest.raises(UserError, match=r"cannot write .*No space left") as caught:
        train(digits, None, out, max_steps=6, resume=True)
    assert "\n" not in str(caught.value)
    assert {name: (out / name).read_bytes() for name in before} == before
    assert [path.name for path in list_states(out)] == steps
    checkpoint.load(out)
    (small_disk / "filling").unlink()
    assert train(digits, None, out, max_steps=4, resume=True).record.training.steps == 4


def test_a_model_that_does_not_fit_leaves_the_earlier_one(small_disk: Path, tiny_model_folder: Path) -> None:
    model = checkpoint.load(tiny_model_folder)
    checkpoint.save(model, small_disk / "model")
    fill(small_disk, leave=20_000)
    earlier = [parameter.clone() for parameter in model.parameters()]
    with torch.no_grad():
        next(model.parameters()).add_(1)
    with pytest.raises(UserError, match=r"cannot write .*model\.safetensors.*No space left"):
        checkpoint.save(model, small_disk / "model")
    kept = checkpoint.load(small_disk / "model")
    assert all(torch.equal(one, other) for one, other in zip(kept.parameters(), earlier, strict=True))
    assert sorted(path.name for path in (small_disk / "model").iterdir()) == [
        "config.json",
        "model.safetensors",
    ]


def write_rows(journal: Journal, rows: int) -> None:
    for step in range(rows):
        journal.write({"step": step, "train_bits_per_dim": 1.0})


def test_a_journal_on_a_full_disk_is_one_error(small_disk: Path, capfd: pytest.CaptureFixture[str]) -> None:
    journal = Journal(small_disk)
    fill(small_disk)
    with pytest.raises(UserError, match=r"cannot write .*journal\.csv: No space left"):
        write_rows(journal, 1000)
    journal.close()
    assert "Traceback" not in capfd.readouterr().err


def test_the_command_ends_with_one_line_and_code_2(
    small_disk: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "digits", "--recipe", "digits", "--network.filters", "4", "--training.batch", "8"]
    fill(small_disk, leave=40_000)
    assert main([*words, "--max-steps", "1", "--device", "cpu", "--out", str(small_disk / "run")]) == 2
    told = capfd.readouterr().err
    assert told.startswith("pixelbayes: error: cannot write")
    assert told.count("\n") == 1
