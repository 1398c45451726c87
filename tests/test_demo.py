import json

import pytest

from pixelbayes.demo import demo
from pixelbayes.errors import UserError
from pixelbayes.recipe import load_recipe, override
from pixelbayes.reporting import LEFT

FILES = (*LEFT, "samples.png", "curves.png", "config.json", "model.safetensors")


def test_the_demo_leaves_everything_and_may_be_run_again(tmp_path, capsys, monkeypatch):
    small = override(load_recipe("digits"), {"network.filters": 4, "network.scales": 1})
    monkeypatch.setattr("pixelbayes.demo.load_recipe", lambda name: small)
    folder = tmp_path / "demo"
    for _ in range(2):
        metrics = demo(folder, minutes=5, max_steps=2, device="cpu")
        assert set(FILES) <= {item.name for item in folder.iterdir()}
    read = json.loads((folder / "metrics.json").read_text())
    assert read["images"] == metrics.images == 359
    assert read["accuracy"] == metrics.accuracy
    assert len((folder / "predictions.csv").read_text().splitlines()) == metrics.images + 1
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert f"{metrics.bits_per_dim:.2f}" in page
    printed = capsys.readouterr().out
    assert f"{metrics.bits_per_dim:.3f}" in printed
    assert f"pixelbayes generate {folder}" in printed


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "holiday.txt").write_text("photos")
    with pytest.raises(UserError, match="holds no earlier demo"):
        demo(tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == ["holiday.txt"]


@pytest.mark.parametrize("files", [("config.json", "model.safetensors", "journal.csv"), ("report.html",)])
def test_a_model_that_is_no_demo_is_left_alone(tmp_path, files):
    for name in files:
        (tmp_path / name).write_text("hours of work")
    with pytest.raises(UserError, match="holds no earlier demo"):
        demo(tmp_path)
    assert sorted(item.name for item in tmp_path.iterdir()) == sorted(files)
