"""`pixelbayes explain` on the command line: what it writes, over what, and what it refuses."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

import pixelbayes as pb
from pixelbayes.cli import main
from pixelbayes.explaining import output_names, picture_names

Captured = pytest.CaptureFixture[str]


def save_images(folder: Path, count: int, seed: int = 0) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (count, 8, 8), np.uint8)
    paths = [folder / f"{number}.png" for number in range(count)]
    for path, image in zip(paths, values, strict=True):
        Image.fromarray(image).save(path)
    return paths


def test_maps_table_and_pictures_of_a_folder(
    tiny_model_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    save_images(tmp_path / "new", 3)
    out = tmp_path / "why"
    words = ["explain", str(tiny_model_folder), str(tmp_path / "new"), "--out", str(out)]
    assert main([*words, "--maps", "npy", "--against", "8"]) == 0
    maps = np.load(out / "evidence.npy")
    with (out / "evidence.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert maps.shape == (3, 8, 8)
    assert maps.dtype == np.float64
    assert [float(row["log_odds_nats"]) for row in rows] == pytest.approx(maps.sum((1, 2)).tolist(), abs=1e-5)
    assert {row["rival"] for row in rows} == {"8"}
    answer = pb.classify(pb.load(tiny_model_folder), pb.open_dataset("digits").train.levels[:1])
    assert answer.posterior.shape == (1, 10)
    names = {path.name for path in out.iterdir() if not path.name.startswith(".")}
    assert names == {
        "evidence.csv",
        "evidence.npy",
        "sheet-001.png",
        *(f"evidence-{n}.png" for n in range(3)),
    }
    assert Image.open(out / "sheet-001.png").width > 200
    assert "rather than 8" in capsys.readouterr().out


def test_one_image_has_one_picture_and_several_words_are_joined(
    tiny_model_folder: Path, tmp_path: Path
) -> None:
    first, second = save_images(tmp_path / "new", 2)
    one = ["explain", str(tiny_model_folder), str(first), "--out", str(tmp_path / "one")]
    assert main([*one, "--maps", "safetensors"]) == 0
    assert not (tmp_path / "one" / "sheet-001.png").exists()
    alone = load_file(tmp_path / "one" / "evidence.safetensors")["maps"]
    two = [
        "explain",
        str(tiny_model_folder),
        str(second),
        str(tmp_path / "new"),
        "--out",
        str(tmp_path / "two"),
    ]
    assert main([*two, "--maps", "npy"]) == 0
    joined = np.load(tmp_path / "two" / "evidence.npy")
    assert joined.shape == (3, 8, 8)
    assert np.allclose(joined[1], alone[0], atol=1e-4)


def test_own_files_are_replaced_and_nobody_elses(
    tiny_model_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    images = save_images(tmp_path / "new", 2)
    out = tmp_path / "why"
    words = ["explain", str(tiny_model_folder), "--out", str(out)]
    assert main([*words, str(tmp_path / "new")]) == 0
    (out / "note.txt").write_text("mine")
    assert main([*words, str(images[0])]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*words, str(images[0]), "--overwrite"]) == 0
    names = {path.name for path in out.iterdir() if not path.name.startswith(".")}
    assert names == {"note.txt", "evidence.csv", "evidence-0.png"}
    (out / "evidence-1.png").write_bytes(b"mine")
    assert main([*words, str(tmp_path / "new"), "--overwrite"]) == 2
    assert "evidence-1.png" in capsys.readouterr().err
    assert (out / "evidence-1.png").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["digits", "--split", "test", "--against", "cat"], "unknown class 'cat'"),
        (["digits", "--split", "test", "--of", "3", "--against", "3"], "against itself"),
        (["digits", "--split", "nowhere"], "nowhere"),
        (["EMPTY"], "EMPTY"),
        (["digits", "--first", "0"], "--first"),
        ([], "name the images"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    tiny_model_folder: Path, tmp_path: Path, capsys: Captured, words: list[str], said: str
) -> None:
    (tmp_path / "EMPTY").mkdir()
    words = [str(tmp_path / word) if word == "EMPTY" else word for word in words]
    out = tmp_path / "why"
    assert main(["explain", str(tiny_model_folder), *words, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.strip().count("\n") == 0
    assert not out.exists()


def test_a_model_without_classes_is_refused(tmp_path: Path, capsys: Captured) -> None:
    model = pb.save(pb.create("digits", classes=(), filters=2), tmp_path / "plain")
    assert main(["explain", str(model), "digits", "--first", "1", "--out", str(tmp_path / "why")]) == 2
    assert "without classes" in capsys.readouterr().err
    assert not (tmp_path / "why").exists()


def test_python_gives_the_same_and_many_images_have_sheets_alone(
    tiny_model_folder: Path, tmp_path: Path
) -> None:
    model = pb.load(tiny_model_folder)
    levels = pb.open_dataset("digits").train.levels[:26]
    found = pb.explain(model, levels, out=tmp_path / "why")
    assert (found.maps.sum((1, 2)) == found.log_odds).all()
    pictures = sorted(path.name for path in (tmp_path / "why").glob("*.png"))
    assert pictures == ["sheet-001.png", "sheet-002.png"]
    with pytest.raises(pb.UserError, match="no images"):
        pb.explain(model, levels[:0])
    with pytest.raises(pb.UserError, match="form of the maps"):
        pb.explain(model, levels, maps="tiff")


def test_names_of_pictures_differ_whatever_the_files_are_called() -> None:
    paths = ["a/x.png", "b/X.png", "c/x-2.jpg", "[4]", "?.png"]
    names = picture_names(paths)
    assert len({name.lower() for name in names}) == 5
    assert set(names) < set(output_names(paths))
