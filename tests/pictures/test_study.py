"""A study's plots: what stands on them fits."""

from types import SimpleNamespace

import pytest

from pixelbayes.pictures import study

SUMMARY = (
    "Is a softmax over the levels as good as mixtures of logistics, where images have few levels, or many? "
)


@pytest.mark.parametrize("figures", [("bits_per_dim",), ("bits_per_dim", "accuracy")])
@pytest.mark.parametrize("times", [1, 3])
def test_a_long_title_is_whole_and_within_the_picture(monkeypatch, tmp_path, figures, times) -> None:
    drawn = []
    monkeypatch.setattr(study, "save", lambda drawing, path: drawn.append(drawing))
    mean = SimpleNamespace(mean=0.5, deviation=None)
    study.variants_picture({"a": dict.fromkeys(figures, mean)}, tmp_path / "study.png", SUMMARY * times)
    (drawing,) = drawn
    title = drawing._suptitle
    assert title.get_text().split() == (SUMMARY * times).split()
    drawing.draw_without_rendering()
    page = drawing.bbox
    for text in (title, *(axes._left_title for axes in drawing.axes)):
        box = text.get_window_extent()
        assert page.x0 <= box.x0 < box.x1 <= page.x1
        assert page.y0 <= box.y0 < box.y1 <= page.y1
    assert max(axes.get_tightbbox().y1 for axes in drawing.axes) <= title.get_window_extent().y0
