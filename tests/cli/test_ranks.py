"""torchrun with two processes (gloo) gives the files of one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import pixelbayes as pb
from pixelbayes import checkpoint
from pixelbayes.cli import main
from pixelbayes.distributed import Shard


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model") / "model"
    checkpoint.save(pb.create("digits", filters=4), folder)
    return folder


def run(ranks: int, *words: object) -> None:
    """The command in this process, or in several as torchrun starts them; a thread each, so that sums are the same."""
    if ranks == 1:
        assert main(list(map(str, words))) == 0
        return
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    launcher = [
        "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks), "-m",
    ]  # fmt: skip
    command = [sys.executable, "-m", *launcher, "pixelbayes", *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_generating_gives_the_same_files(model: Path, tmp_path: Path) -> None:
    for ranks in (1, 2):
        run(ranks, "generate", model, "--per-class", 1, "--batch", 4, "--out", tmp_path / str(ranks))
    one, two = files(tmp_path / "1"), files(tmp_path / "2")
    assert len(one) == 12  # ten digits, the sheet, and the mark of a folder that this command filled
    assert one == two


def test_classifying_and_evaluating_give_the_same_numbers(model: Path, tmp_path: Path) -> None:
    digits = pb.open_dataset("digits").test
    data = tmp_path / "digits.npz"
    np.savez(data, images=digits.levels[:50, 0], labels=digits.labels[:50])
    for ranks in (1, 2):
        folder = tmp_path / str(ranks)
        folder.mkdir()
        csv, logits = folder / "predictions.csv", folder / "logits.npy"
        run(ranks, "classify", model, data, "--batch", 40, "--csv", csv, "--logits", logits)
        plain = ("--no-page", "--no-baselines", "--batch", 40)
        run(ranks, "evaluate", model, *plain, "--data", data, "--out", folder / "metrics")
    assert np.load(tmp_path / "1" / "logits.npy").shape == (50, 10)
    assert files(tmp_path / "1") == files(tmp_path / "2")
    assert json.loads((tmp_path / "2" / "metrics" / "metrics.json").read_text())["images"] == 50


def test_shares_cover_every_chunk_once() -> None:
    chunks = list(range(0, 70, 10))
    parts = [Shard(rank, 3).of(chunks) for rank in range(3)]
    assert sorted(start for part in parts for start in part) == chunks
    assert [Shard(rank, 3).first for rank in range(3)] == [True, False, False]
