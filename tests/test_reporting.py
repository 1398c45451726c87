"""`pixelbayes report` on runs and models of every kind, and in a browser."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixelbayes as pb
from pixelbayes.cli import main
from pixelbayes.reports.sections import OWN

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def sections(path: Path) -> list[str]:
    return re.findall(r'id="(\w+)"', path.read_text(encoding="utf-8"))


def test_a_run_has_its_page(tiny_model_folder: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "page.html"
    words = ["report", str(tiny_model_folder), "--out", str(out), "--images", "40", "--device", "cpu"]
    assert main(words) == 0
    said = capsys.readouterr()
    assert f"the report is in {out}" in said.out
    assert "Of 359 test images 40, evenly chosen" in said.err
    assert tuple(sections(out)) == OWN
    page = out.read_text(encoding="utf-8")
    assert "on 40 test images" in page
    assert f"pixelbayes train digits --recipe {tiny_model_folder} --max-steps 4" in page
    assert main(words) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*words, "--overwrite", "--split", "validation"]) == 0
    assert "on 40 validation images" in out.read_text(encoding="utf-8")


def test_a_run_without_its_model_and_a_model_without_its_run(tiny_model_folder: Path, tmp_path: Path) -> None:
    run, model = tmp_path / "run", tmp_path / "model"
    for folder, names in (
        (run, ("journal.csv", "config.json")),
        (model, ("config.json", "model.safetensors")),
    ):
        folder.mkdir()
        for name in names:
            shutil.copy(tiny_model_folder / name, folder)
    page = pb.report(run, tmp_path / "run.html")
    assert sections(page) == ["glance", "curves", "data", "model", "notes", "commands"]
    assert "model.safetensors is missing" in page.read_text(encoding="utf-8")
    page = pb.report(model, tmp_path / "model.html", images=0)
    assert sections(page) == ["glance", "samples", "data", "model", "commands"]
    (run / "config.json").write_text("{")
    assert "curves" in sections(pb.report(run, tmp_path / "broken.html"))
    (run / "journal.csv").write_bytes(b"\xff\x00,\n1,")
    assert "notes" in sections(pb.report(run, tmp_path / "more.html"))


def test_data_that_are_not_here_any_more(tmp_path: Path) -> None:
    """Figures of an earlier evaluation stand in for those that cannot be taken."""
    photos = tmp_path / "photos"
    for label in ("a<b", "c"):
        (photos / label).mkdir(parents=True)
        for index in range(6):
            pixels = np.random.default_rng(index).integers(0, 255, (4, 4), np.uint8)
            Image.fromarray(pixels).save(photos / label / f"{index}.png")
    small = ["--recipe", "digits", "--network.filters", "2", "--data.size", "4", "--data.levels", "4"]
    run = tmp_path / "run"
    words = ["train", str(photos), *small, "--max-steps", "1", "--device", "cpu", "--out", str(run)]
    assert main(words) == 0
    page = pb.report(run, tmp_path / "here.html").read_text(encoding="utf-8")
    assert "a&lt;b" in page
    assert "a<b" not in page
    shutil.rmtree(photos)
    (run / "metrics.json").write_text(json.dumps({"accuracy": 0.625, "images": 8}))
    page = pb.report(run, tmp_path / "gone.html")
    assert "there are no held-out images" in page.read_text(encoding="utf-8")
    assert "62.5%" in page.read_text(encoding="utf-8")
    assert "mistakes" not in sections(page)


def test_a_model_in_memory_without_classes(tmp_path: Path) -> None:
    model = pb.create("digits", classes=(), filters=2, size=3)
    page = pb.report(model, tmp_path / "page.html")
    assert sections(page) == ["glance", "samples", "data", "model", "notes"]
    assert "draws images, and says how probable others are" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nowhere"], "there is no model folder 'nowhere'"),
        (["."], "is not a model"),
        (["MODEL", "--images", "-1"], "--images must be 0 or more"),
        (["MODEL", "--split", "tset"], "tset"),
        (["MODEL", "--out", "."], "is a folder"),
        (["MODEL", "--out", "file/page.html"], "is a file, not a folder"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(
    tiny_model_folder, tmp_path, monkeypatch, capsys, words, reason
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    out = [] if "--out" in words else ["--out", "page.html"]
    assert (
        main(["report", *(str(tiny_model_folder) if word == "MODEL" else word for word in words), *out]) == 2
    )
    assert reason in capsys.readouterr().err.strip().splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("width", [390, 1200])
def test_a_browser_shows_the_page(tiny_model_folder: Path, tmp_path: Path, width: int) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("there is no Chromium to show the page")
    page = pb.report(tiny_model_folder, tmp_path / "page.html", images=20)
    # What is wider than the window would have to be scrolled to; pictures that are not whole have no width.
    probe = (
        "<script>document.title = [document.documentElement.scrollWidth <= innerWidth, "
        "[...document.images].every(image => image.naturalWidth > 0), document.images.length].join()</script>"
    )
    page.write_text(page.read_text(encoding="utf-8").replace("</body>", f"{probe}</body>"), encoding="utf-8")
    command = [
        browser, "--headless=new", "--no-sandbox", "--disable-gpu", f"--window-size={width},2000",
        "--virtual-time-budget=2000", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    fits, whole, count = re.search(r"<title>(.*?)</title>", shown)[1].split(",")
    assert (fits, whole) == ("true", "true")
    assert int(count) >= 5
