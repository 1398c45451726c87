"""What all pictures share."""

from pathlib import Path

from pixelbayes.pictures.style import figure, save


def test_the_numbers_of_a_logarithmic_axis_are_plain(tmp_path: Path) -> None:
    drawn = figure(3, 2)
    axes = drawn.subplots()
    axes.bar([0, 1], [3, 250])
    axes.set_yscale("log")
    save(drawn, tmp_path / "log.png")
    told = [label.get_text() for label in axes.get_yticklabels() if label.get_text()]
    assert "10" in told
    assert not any("$" in label for label in told)
