"""`pixelbayes complete`: files, a table and a sheet; mistakes are one line and leave nothing."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import pixelbayes as pb
from pixelbayes.cli import main
from pixelbayes.levels import from_values


def completed(folder: Path) -> list[dict[str, str]]:
    with (folder / "completions.csv").open() as file:
        return list(csv.DictReader(file))


def test_what_is_kept_is_in_every_completion(tiny_model_folder: Path, tmp_path: Path, capsys) -> None:
    model, out = str(tiny_model_folder), tmp_path / "out"
    words = ["complete", model, "digits", "--split", "test", "--most", "3", "--keep", "0:4,:", "--seed", "3"]
    assert main([*words, "--per-image", "2", "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "6 completions of 3 images, each as the class that makes what is kept most probable" in said.out
    assert "the first 3 of 359 images" in said.err
    names = sorted(path.name for path in out.glob("0*.png"))
    assert names == [f"000{image}-{number}.png" for image in (1, 2, 3) for number in (1, 2)]
    assert [row["file"] for row in completed(out)] == names
    assert Image.open(out / "completions.png").height > 200
    test = pb.open_dataset("digits").splits["test"][:3]
    drawn = pb.complete(pb.load(model), test.levels, "0:4,:", seed=3, per_image=2)
    for name, image in zip(names, drawn, strict=True):
        pixels = torch.from_numpy(from_values(np.asarray(Image.open(out / name))[None], 17))
        assert torch.equal(pixels.to(image.dtype), image)

    again = [*words, "--per-image", "1", "--out", str(out)]
    assert main(again) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*again, "--class", "7", "--overwrite"]) == 0
    assert "as 7," in capsys.readouterr().out
    assert sorted(path.name for path in out.glob("0*.png")) == names[::2]
    assert {row["class"] for row in completed(out)} == {"7"}


def test_single_files(tiny_model_folder: Path, tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        files.append(str(tmp_path / f"{name}.png"))
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 8), np.uint8)).save(files[-1])
    out = tmp_path / "out"
    words = ["complete", str(tiny_model_folder), *files, "--keep", "upto:6,4", "--per-image", "1"]
    assert main([*words, "--out", str(out)]) == 0
    assert [Path(row["image"]).name for row in completed(out)] == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["digits", "--keep", "left"], "'left' is not understood"),
        (["digits", "--keep", "0:9,:"], "reaches beyond"),
        (["digits", "--keep", "0:4,:", "--class", "cat"], "unknown class 'cat'"),
        (["digits", "--keep", "0:4,:", "--per-image", "0"], "--per-image must be above 0"),
        (["--keep", "0:4,:"], "name the images"),
        (["digits"], "missing: --keep"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(tiny_model_folder, tmp_path, capsys, words, reason) -> None:
    out = tmp_path / "out"
    assert main(["complete", str(tiny_model_folder), *words, "--out", str(out)]) == 2
    said = capsys.readouterr().err.strip()
    assert reason in said.splitlines()[-1]
    assert not out.exists()
