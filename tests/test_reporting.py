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
from pixelbayes.records import TrainingRecord
from pixelbayes.reporting import LEFT, affordable, hand_over
from pixelbayes.reports.sections import OWN

MEASURED = ("study", "rivals", "against", "generation")
"""Sections of what an evaluation or a study found."""
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
    assert sections(out) == [name for name in OWN if name not in MEASURED]
    page = out.read_text(encoding="utf-8")
    assert "on 40 test images" in page
    assert f"pixelbayes train digits --recipe {tiny_model_folder} --max-steps 4" in page
    assert main(words) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*words, "--overwrite", "--split", "validation"]) == 0
    assert "on 40 validation images" in out.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def evaluated(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with an evaluation of everything beside it."""
    run = shutil.copytree(tiny_model_folder, tmp_path_factory.mktemp("compared") / "run")
    train = pb.open_dataset("digits", pb.load_recipe("digits").data).train
    some = run.parent / "some"
    for label in "0123456789":
        (some / label).mkdir(parents=True)
    for index in range(40):
        level = 15 * train.levels[index, 0].numpy()
        label = train.classes[int(train.labels[index])]
        Image.fromarray(level).save(some / label / f"{index}.png")
    words = ["evaluate", str(run), "--data", str(some), "--generation", "--samples", "20", "--against", "cnn"]
    out = run.parent / "run-evaluation-001"
    assert main([*words, "--against-minutes", "0.01", "--device", "cpu", "--out", str(out)]) == 0
    return run


def test_what_evaluations_measured_is_on_the_page_of_the_evaluation_and_of_the_run(
    evaluated: Path, tmp_path: Path
) -> None:
    out = evaluated.parent / "run-evaluation-001"
    pages = [out / "report.html", pb.report(evaluated, tmp_path / "page.html", images=20)]
    for page in pages:
        assert set(MEASURED) - set(sections(page)) == {"study"}
        text = page.read_text(encoding="utf-8")
        assert "CNN feature distance" in text
        assert "milliseconds to classify an image" in text
    assert {"evidence", "curves", "mistakes", "reliability"} <= set(sections(pages[0]))
    # Of other weights, the evaluation says nothing of this model.
    other = shutil.copytree(evaluated, tmp_path / "run")
    shutil.copytree(out, tmp_path / "run-evaluation-001")
    pb.save(pb.create("digits", filters=2), other)
    assert not set(MEASURED) & set(sections(pb.report(other, tmp_path / "other.html", images=0)))
    named = pb.report(other, tmp_path / "named.html", images=0, evaluations=[out])
    assert "against" in sections(named)
    with pytest.raises(pb.UserError, match="holds no evaluation"):
        pb.report(other, tmp_path / "none.html", images=0, evaluations=[tmp_path])


def test_training_leaves_what_the_demo_leaves(tiny_model_folder: Path) -> None:
    assert set(LEFT) <= {path.name for path in tiny_model_folder.iterdir()}
    page = tiny_model_folder / "report.html"
    assert {"figures", "samples", "curves", "confusion", "reliability", "mistakes"} <= set(sections(page))
    assert "chose the weights" in page.read_text(encoding="utf-8")
    rows = (tiny_model_folder / "predictions.csv").read_text().splitlines()
    figures = json.loads((tiny_model_folder / "metrics.json").read_text())
    assert len(rows) == figures["images"] + 1
    told = json.loads((tiny_model_folder / "training.json").read_text())
    assert figures["accuracy"] == pytest.approx(told["calibrated_accuracy"])


def test_the_pages_files_are_nobodys_but_ours(tiny_model_folder: Path, tmp_path: Path) -> None:
    run = shutil.copytree(tiny_model_folder, tmp_path / "run")
    (run / "predictions.csv").write_text("mine")
    with pytest.raises(pb.UserError, match=r"predictions\.csv"):
        hand_over(pb.load(run), run, progress=False)
    assert (run / "predictions.csv").read_text() == "mine"


def test_judging_takes_a_tenth_of_the_time_of_the_training() -> None:
    assert affordable(TrainingRecord(images=50_000, epochs=2.0), 100) == 300
    assert affordable(TrainingRecord(images=500, epochs=1.0), 1000) == 200


def test_a_study_has_its_page(tmp_path: Path) -> None:
    folder = tmp_path / "my study"
    folder.mkdir()
    rows = [
        f"a{n}.{s},filters={n},{s},{n},{4 - 0.1 * n + 0.01 * s},0.5,60,1.5" for n in (2, 3) for s in (0, 1)
    ]
    head = "trial,variant,seed,network.filters,bits_per_dim,accuracy,images,minutes"
    (folder / "study.csv").write_text("\n".join([head, *rows]))
    (folder / "study.json").write_text('{"name": "mine", "summary": "filters <2> and 3"}')
    for given in (folder, folder / "study.csv"):
        assert main(["report", str(given), "--out", str(tmp_path / "page.html"), "--overwrite"]) == 0
        page = (tmp_path / "page.html").read_text(encoding="utf-8")
        assert sections(tmp_path / "page.html") == ["study", "commands"]
        assert "4 trials: 2 variants, 2 seeds; 60 held-out images judged each; 6 minutes" in page
        assert "filters &lt;2&gt; and 3" in page
        assert page.count("data:image/png") == 2
        assert "3.8050 ± 0.0071" in page
    (tmp_path / "study.csv").write_text("a,b\n1,2\n")
    with pytest.raises(pb.UserError, match="no table of a study"):
        pb.report(tmp_path / "study.csv", tmp_path / "none.html")


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
    words = ["train", str(photos), *small, "--max-steps", "1", "--no-page", "--out", str(run)]
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
def test_a_browser_shows_the_page(evaluated: Path, tmp_path: Path, width: int) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("there is no Chromium to show the page")
    page, frame = tmp_path / "page.html", tmp_path / "frame.html"
    text = (evaluated.parent / "run-evaluation-001" / "report.html").read_text(encoding="utf-8")
    # What is wider than the window would have to be scrolled to; pictures that are not whole have no width.
    probe = (
        "<script>onload = () => parent.postMessage([document.documentElement.scrollWidth <= "
        "document.documentElement.clientWidth, [...document.images].every(image => image.naturalWidth > 0), "
        "document.images.length, innerWidth].join(), '*')</script>"
    )
    page.write_text(text.replace("</body>", f"{probe}</body>"), encoding="utf-8")
    # A window has a least width, a frame has none.
    frame.write_text(
        "<title></title><script>onmessage = event => { document.title = event.data }</script>"
        f'<iframe src="page.html" width="{width}" height="900" style="border: 0"></iframe>'
    )
    command = [
        browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,1000",
        "--virtual-time-budget=2000", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", frame.as_uri(),
    ]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    fits, whole, count, wide = re.search(r"<title>(.*?)</title>", shown)[1].split(",")
    assert (fits, whole, wide) == ("true", "true", str(width))
    assert int(count) >= 5
