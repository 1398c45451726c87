import numpy as np
import torch
from PIL import Image

from pixelbayes.levels import ImageShape
from pixelbayes.pictures import confusion, sheet
from pixelbayes.pictures.matrix import most_confused


def test_the_diagonal_is_dark_where_all_are_right(tmp_path):
    confusion([[9, 0], [0, 5]], ["yes", "no"], tmp_path / "right.png")
    confusion([[0, 9], [5, 0]], ["yes", "no"], tmp_path / "wrong.png")
    right, wrong = (
        np.asarray(Image.open(tmp_path / name).convert("L")) for name in ("right.png", "wrong.png")
    )

    assert (right < 90).mean() > 0.1
    assert np.cov(np.argwhere(right < 90).T)[0, 1] > 0 > np.cov(np.argwhere(wrong < 90).T)[0, 1]


def test_many_classes_are_cut_to_the_most_confused(tmp_path):
    counts = np.diag(np.full(50, 10))
    counts[30, 40] = 7
    assert {30, 40} <= set(most_confused(counts).tolist())
    assert len(most_confused(counts)) == 20
    confusion(counts, [f"a long class name {index}" for index in range(50)], tmp_path / "many.png")
    assert max(Image.open(tmp_path / "many.png").size) < 2500


def test_letters_without_a_font_are_told_once(tmp_path, capsys):
    confusion(
        [[1, 0], [0, 1]], ["ok", "\U0001f600"], tmp_path / "smile.png"
    )  # no font here has coloured faces
    told = capsys.readouterr().err
    assert told.count("no font here has some letters") <= 1
    assert "UserWarning" not in told
    confusion([[1, 0], [0, 1]], ["ok", "\U0010fffd"], tmp_path / "nobody.png")  # for private use
    assert capsys.readouterr().err.count("no font here has some letters") == 1


def test_a_class_without_images_and_a_single_class_are_drawn(tmp_path):
    confusion([[3, 0], [0, 0]], ["seen", "absent"], tmp_path / "absent.png")
    confusion([[3]], ["only"], tmp_path / "only.png")
    assert (tmp_path / "only.png").stat().st_size > 1000


def test_any_class_name_is_drawn(tmp_path):
    names = [
        "$",
        "$$",
        "\\frac{1}{2}",
        "$\\frac$",
        "\u4ef7\u683c",
        "\u05e9\u05dc\u05d5\u05dd",
        "a\nb",
        "_^{",
        "<b>&",
    ]
    confusion(np.eye(len(names), dtype=int), names, tmp_path / "c.png", title="$\\frac of 50 %")
    levels = torch.zeros(2 * len(names), 1, 8, 8, dtype=torch.uint8)
    sheet(levels, ImageShape(1, 8, 8), tmp_path / "s.png", rows=names, title="$\\frac")
    assert (tmp_path / "c.png").stat().st_size > 1000
    assert (tmp_path / "s.png").stat().st_size > 1000
