import numpy as np
import pytest
from PIL import Image

from pixelbayes.pictures import curves
from pixelbayes.pictures.style import BLUE, GREEN

HEAD = "step,epoch,seconds,train_bits_per_dim,validation_bits_per_dim,validation_accuracy\n"
ROWS = "1,0.1,1,4.0,,\n2,0.2,2,3.5,3.6,0.4\n3,0.3,3,nan,3.2,0.6\n"


def share_of(colour, path):
    found = np.asarray(Image.open(path).convert("RGB")).astype(int)
    wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return (abs(found - wanted).max(-1) < 8).mean()


def test_both_panels_are_drawn(tmp_path):
    (tmp_path / "journal.csv").write_text(HEAD + ROWS)
    curves(tmp_path / "journal.csv", tmp_path / "curves.png")
    assert share_of(BLUE, tmp_path / "curves.png") > 0.0005
    assert share_of(GREEN, tmp_path / "curves.png") > 0.0005


def test_the_weights_that_are_kept_are_marked(tmp_path):
    (tmp_path / "journal.csv").write_text(HEAD + ROWS)
    pictures = []
    for step in (None, 2, 3, 99):
        curves(tmp_path / "journal.csv", tmp_path / "curves.png", step)
        pictures.append((tmp_path / "curves.png").read_bytes())
    assert pictures[0] == pictures[2]
    assert len(set(pictures)) == 3  # another point, or none at all


def test_a_model_without_classes_has_one_panel(tmp_path):
    (tmp_path / "journal.csv").write_text(
        "step,train_bits_per_dim,validation_bits_per_dim\n1,4,3.9\n2,3,3.1\n"
    )
    curves(tmp_path / "journal.csv", tmp_path / "curves.png")
    assert share_of(BLUE, tmp_path / "curves.png") > 0.0005
    assert share_of(GREEN, tmp_path / "curves.png") == 0


@pytest.mark.parametrize(
    "text", ["", HEAD, HEAD + "1,0.1,1,,,\n", HEAD + "1,0.1,1,inf,nan,\n", "step,other\n1,2\n"]
)
def test_a_journal_with_little_in_it_still_gives_a_picture(text, tmp_path):
    (tmp_path / "journal.csv").write_text(text)
    curves(tmp_path / "journal.csv", tmp_path / "curves.png")
    assert Image.open(tmp_path / "curves.png").size[0] > 500
