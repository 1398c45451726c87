"""`pixelbayes classify` in depth: forms of hand-ins, priors, regions, killed runs, bad input."""

import csv
import os
import signal
import subprocess
import sys
import time
from math import log
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import pixelbayes as pb
from pixelbayes.cli import main
from pixelbayes.data import open_images
from pixelbayes.posterior import Calibration
from pixelbayes.records import DataRecord, ModelRecord

Captured = pytest.CaptureFixture[str]
NAMES = ("cat", "dog", "owl")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    made = pb.create("digits", classes=NAMES, filters=2)
    made.calibration = Calibration(25.0, (0.5, -0.25, -0.25))
    made.record = ModelRecord(DataRecord(class_counts={"cat": 60, "dog": 30, "owl": 10}))
    return Path(pb.save(made, tmp_path_factory.mktemp("model") / "model"))


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images and a table without labels, as a course hands them out."""
    folder = tmp_path_factory.mktemp("course")
    (folder / "test").mkdir()
    pixels = np.random.default_rng(0).integers(0, 17, (6, 8, 8), dtype=np.uint8) * 15
    for row, each in enumerate(pixels):
        Image.fromarray(each).save(folder / "test" / f"{row:04d}.png")
    (folder / "test.csv").write_text("".join(f"test/{row:04d}.png,-1\n" for row in (3, 1, 0, 5, 4, 2)))
    return folder


def classified(model: Path, course: Path, out: Path, *words: str) -> list[list[str]]:
    out.unlink(missing_ok=True)
    assert main(["classify", str(model), str(course / "test.csv"), "--csv", str(out), *words]) == 0
    return list(csv.reader(out.read_text().splitlines()))


def test_both_of_a_courses_forms_come_out(model: Path, course: Path, tmp_path: Path) -> None:
    plain = classified(model, course, tmp_path / "plain.csv", "--logits", str(tmp_path / "logits.npy"))
    names = [f"{row:04d}.png" for row in (3, 1, 0, 5, 4, 2)]
    one = classified(model, course, tmp_path / "one.csv", "--columns", "id,label", "--paths", "name")
    assert one == [["id", "label"], *([name, row[2]] for name, row in zip(names, plain[1:], strict=True))]
    words = ["--columns", "path,label", "--no-header", "--last-row", "fid,21.3", "--label", "name"]
    other = classified(model, course, tmp_path / "other.csv", *words)
    expected = [[f"test/{name}", row[3]] for name, row in zip(names, plain[1:], strict=True)]
    assert other == [*expected, ["fid", "21.3"]]
    assert np.load(tmp_path / "logits.npy").shape == (6, 3)


def test_posteriors_are_those_of_the_logits_calibration_and_prior(
    model: Path, course: Path, tmp_path: Path
) -> None:
    logits = np.load(_logits(model, course, tmp_path))
    weights = {"uniform": (1, 1, 1), "training": (6, 3, 1), "cat=10,*=1": (10, 1, 1)}
    for prior, weight in weights.items():
        rows = classified(model, course, tmp_path / "out.csv", "--posterior", "--prior", prior)
        scores = logits / 25 + np.array([0.5, -0.25, -0.25]) + np.log(weight)
        expected = np.exp(scores - np.logaddexp.reduce(scores, 1, keepdims=True))
        assert rows[0][-3:] == [f"posterior_{name}" for name in NAMES]
        found = np.array([[float(cell) for cell in row[-3:]] for row in rows[1:]])
        assert found == pytest.approx(expected, abs=1e-6)
        if prior == "uniform":
            plain = found
    assert np.log(found[:, 0] / found[:, 1]) - np.log(plain[:, 0] / plain[:, 1]) == pytest.approx(log(10))


def test_posteriors_of_a_part_have_its_share_of_the_temperature(
    model: Path, course: Path, tmp_path: Path
) -> None:
    words = ["--region", "0:4,:"]
    logits = np.load(_logits(model, course, tmp_path, *words))
    rows = classified(model, course, tmp_path / "out.csv", "--posterior", *words)
    scores = logits / 13 + np.array([0.5, -0.25, -0.25]) * 0.5 * 25 / 13  # 13 = 1 + (25 - 1) / 2
    expected = np.exp(scores - np.logaddexp.reduce(scores, 1, keepdims=True))
    assert np.array([[float(cell) for cell in row[-3:]] for row in rows[1:]]) == pytest.approx(expected)
    images = open_images(course / "test.csv", pb.load(model).shape, DataRecord(), pb.load(model).classes)
    found = pb.classify(pb.load(model), images, regions=["0:4,:"])
    assert found.posterior.numpy() == pytest.approx(expected)


def _logits(model: Path, course: Path, tmp_path: Path, *words: str) -> Path:
    out = tmp_path / f"logits{len(list(tmp_path.iterdir()))}.npy"
    assert main(["classify", str(model), str(course / "test.csv"), "--logits", str(out), *words]) == 0
    return out


def test_two_halves_sum_to_the_whole(model: Path, course: Path, tmp_path: Path) -> None:
    def nats(*regions: str, combine: str = "sum") -> np.ndarray:
        words = [word for region in regions for word in ("--region", region)]
        return np.load(_logits(model, course, tmp_path, *words, "--combine", combine))

    plain = nats()
    assert nats(":,:") == pytest.approx(plain, abs=1e-4)
    assert nats("0:3,:") + nats("3:8,:") == pytest.approx(plain, abs=1e-4)
    assert nats("upto:2,5", "2:3,5:", "3:,:", combine="mean") == pytest.approx(plain / 3, abs=1e-4)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--region", "0:9,:"], "reaches beyond the image of 8x8"),
        (["--region", "3:3,:"], "is empty"),
        (["--region", "0:3"], "is not understood"),
        (["--prior", "cat=0,dog=0,owl=0"], "sum to more than 0"),
        (["--prior", "bird=1,*=1"], "unknown class 'bird'"),
        (["--prior", "cat=1"], "no weight for dog, owl"),
        (["--columns", "id"], "--columns takes 2 names"),
        (["--precision", "bf15"], "bf16"),
        (["--batch", "0"], "--batch"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written_or_lost(
    model: Path, course: Path, tmp_path: Path, capsys: Captured, words: list[str], said: str
) -> None:
    (tmp_path / "out.csv").write_text("mine")
    files = ["--csv", str(tmp_path / "out.csv"), "--logits", str(tmp_path / "logits.npy"), "--overwrite"]
    assert main(["classify", str(model), str(course), *files, *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert (tmp_path / "out.csv").read_text() == "mine"


@pytest.mark.parametrize("words", [["--posterior"], ["--columns", "a,b"], ["--no-header"], ["--last-row", "a"],
                                   ["--paths", "name"], ["--label", "name"], ["--safe-csv"], ["--resume"]])  # fmt: skip
def test_options_of_the_csv_need_one(model: Path, course: Path, capsys: Captured, words: list[str]) -> None:
    assert main(["classify", str(model), str(course), *words]) == 2
    assert "--csv" in capsys.readouterr().err


def test_an_image_that_cannot_be_read_is_named_or_left_out(
    model: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "new").mkdir()
    for row in range(3):
        Image.new("L", (8, 8), 40 * row).save(tmp_path / "new" / f"{row}.png")
    (tmp_path / "new" / "1.png").write_bytes((tmp_path / "new" / "1.png").read_bytes()[:50])
    words = ["classify", str(model), str(tmp_path / "new"), "--csv", str(tmp_path / "out.csv")]
    assert main(words) == 2
    assert "1.png" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()
    assert main([*words, "--skip-bad-images"]) == 0
    assert "1.png" in capsys.readouterr().err
    assert [line.split(",")[0] for line in (tmp_path / "out.csv").read_text().splitlines()] == [
        "path", "0.png", "2.png",
    ]  # fmt: skip


def test_a_rough_arithmetic_says_how_often_answers_differ(
    model: Path, course: Path, capsys: Captured
) -> None:
    assert main(["classify", str(model), str(course / "test.csv"), "--precision", "bf16"]) == 0
    assert "of 6 answers of a sample differ from those in float32" in capsys.readouterr().out


def test_file_names_that_are_not_alone_are_said(model: Path, tmp_path: Path, capsys: Captured) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        Image.new("L", (8, 8)).save(tmp_path / name / "1.png")
    words = ["--csv", str(tmp_path / "out.csv"), "--paths", "name"]
    assert main(["classify", str(model), str(tmp_path), *words]) == 0
    assert "1 images have the file name of another" in " ".join(capsys.readouterr().err.split())


def test_a_killed_run_goes_on_and_ends_with_the_same_files(
    model: Path, tmp_path: Path, capsys: Captured
) -> None:
    np.save(tmp_path / "many.npy", np.random.default_rng(0).integers(0, 17, (4000, 8, 8), dtype=np.uint8))

    def words(name: str) -> list[str]:
        files = ["--csv", str(tmp_path / f"{name}.csv"), "--logits", str(tmp_path / f"{name}.npy")]
        return ["classify", str(model), str(tmp_path / "many.npy"), *files, "--batch", "48"]

    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-m", "pixelbayes", *words("killed")], env=environment)
    killed = tmp_path / "killed.csv"
    until = time.monotonic() + 200
    while not (killed.exists() and killed.stat().st_size > 3000) and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 10 < len(killed.read_text().splitlines()) < 4001
    assert main(words("killed")) == 2
    assert "--resume goes on" in " ".join(capsys.readouterr().err.split())
    assert main([*words("killed"), "--resume"]) == 0
    assert main(words("whole")) == 0
    for kind in ("csv", "npy"):
        assert (tmp_path / f"killed.{kind}").read_bytes() == (tmp_path / f"whole.{kind}").read_bytes()
    capsys.readouterr()
    assert main([*words("killed"), "--resume"]) == 0
    assert "there is nothing to resume" in capsys.readouterr().out
    killed.write_text("path\nmine\n")
    assert main([*words("killed"), "--resume"]) == 2
    assert killed.read_text() == "path\nmine\n"
