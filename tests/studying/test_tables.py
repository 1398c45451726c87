"""The table says what is chance, and is drawn from the CSV alone."""

import csv
from pathlib import Path

import pytest

from pixelbayes.errors import UserError
from pixelbayes.studying.tables import Mean, along, markdown, read_table, redraw, summary, verdict

HEAD = ("trial", "variant", "seed", "network.resnets", "bits_per_dim", "accuracy", "images", "minutes")


def write(path: Path) -> list[dict[str, str]]:
    rows = [
        (
            f"r{n}.{seed}",
            f"resnets={n}",
            seed,
            n,
            4 - 0.3 * n + 0.01 * seed,
            0.5 + 0.1 * n + 0.01 * seed,
            500,
            2,
        )
        for n in (1, 2, 3)
        for seed in (0, 1, 2)
    ]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEAD)
        writer.writerows(rows)
    return read_table(path)


def test_means_spreads_and_verdicts(tmp_path: Path) -> None:
    rows = write(tmp_path / "study.csv")
    found = summary(rows)
    assert list(found) == ["resnets=1", "resnets=2", "resnets=3"]
    assert found["resnets=2"]["bits_per_dim"].mean == pytest.approx(3.41)
    assert found["resnets=2"]["bits_per_dim"].deviation == pytest.approx(0.01)
    text = markdown(rows, "resnets")
    assert "| resnets=2 | 3 | 3.4100 ± 0.0100 | 71.0 ± 1.0 % |" in text
    assert text.count("more than chance") == 4
    ((line, points),) = along(rows, "network.resnets").items()
    assert line == "all"
    assert [place for place, _ in points] == [1.0, 2.0, 3.0]


def test_few_images_make_a_difference_chance() -> None:
    first, other = Mean(0.70, 0.001, 3), Mean(0.74, 0.001, 3)
    assert verdict(first, other) == verdict(first, other, 10_000) == "more than chance"
    assert verdict(first, other, 519) == "chance"
    assert verdict(first, Mean(0.9, None, 1)) == "one seed"
    assert verdict(Mean(0.5, 0.0, 3), Mean(0.5, 0.0, 3)) == "chance"


def test_everything_is_redrawn_from_the_csv(tmp_path: Path) -> None:
    write(tmp_path / "study.csv")
    (tmp_path / "curves.csv").write_text(
        "variant,seed,epoch,train_bits_per_dim,validation_bits_per_dim,validation_accuracy\n"
        "resnets=1,0,1,3.9,4.0,0.5\nresnets=1,0,2,,3.8,0.6\nresnets=1,1,1,3.9,4.1,\n"
    )
    written = redraw(tmp_path, "mine")
    assert {path.name for path in written} == {"study.md", "study.png", "scan-resnets.png", "curves.png"}
    assert all(path.stat().st_size > 0 for path in written)
    assert "mine" in (tmp_path / "study.md").read_text()


@pytest.mark.parametrize("text", [None, "a,b\n1,2\n", "trial,variant,seed,bits_per_dim\nx,y,0,many\n"])
def test_a_file_that_is_no_table_is_refused(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "study.csv").write_text(text)
    with pytest.raises(UserError, match=r"study\.csv"):
        redraw(tmp_path)
