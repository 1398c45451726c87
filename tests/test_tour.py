"""The tour runs from top to bottom, as a newcomer runs it; only its training is shorter."""

import json
from pathlib import Path

import matplotlib
import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "tour.ipynb"


def test_every_cell_of_the_tour_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matplotlib.use("agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pixelbayes.tasks.detect.detector.STEPS", 10)
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] for cell in cells)
    text = ["".join(cell["source"]) for cell in cells]
    assert sum("minutes=0.3" in source for source in text) == 1
    names: dict[str, object] = {}
    for source in text:
        exec(compile(source.replace("minutes=0.3", "max_steps=2, filters=4"), str(NOTEBOOK), "exec"), names)
    assert len(names["answer"].predicted) == 100  # type: ignore[attr-defined]
    assert tuple(names["completed"].shape) == (5, 1, 8, 8)  # type: ignore[attr-defined]
