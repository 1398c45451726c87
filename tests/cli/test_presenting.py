"""Tables on the terminal."""

import pytest

from pixelbayes.against import Against, Row
from pixelbayes.cli import main
from pixelbayes.cli.comparison_options import against_table, quality_table
from pixelbayes.cli.presenting import add_names, confusion_table, plain_table, show
from pixelbayes.measure.generation import GenerationQuality
from pixelbayes.measure.sample_distance import Distances, Estimate
from pixelbayes.studying import studies


def test_names_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    show(confusion_table([[1, 2], [3, 4]], ["[/x]", "[red]"]))
    told = capsys.readouterr().out
    assert "[/x]" in told
    assert "[red]" in told


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_tables_are_80_columns_wide_and_break_no_name(capsys: pytest.CaptureFixture[str]) -> None:
    """Also where nobody says how wide the terminal is."""
    table = plain_table("a title")
    names = [f"a-study-of-{'long' * 5}", "short"]
    add_names(table, "study", names)
    table.add_column("what it is")
    for name in names:
        table.add_row(name, "some words that say at length what is compared here, and why " * 2)
    show(table)
    told = lines(capsys)
    assert max(map(len, told)) <= 80
    assert any(names[0] in line for line in told)


def test_a_very_long_name_is_folded_in_a_terminal_and_whole_in_a_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "x" * 70
    for columns in ("", "80"):
        monkeypatch.setenv("COLUMNS", columns)
        table = plain_table("")
        add_names(table, "run", [name])
        table.add_column("figures", no_wrap=True, min_width=30)
        table.add_row(name, "1.0")
        show(table)
        told = lines(capsys)
        assert "".join(line.split("1.0")[0].strip() for line in told).count("x") == 70
        assert max(map(len, told)) <= 80 or not columns


def test_comparisons_fit_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    estimate = Estimate(-1234.56, -2345.67, 3456.78)
    row = Distances(1000, 1000, estimate, Estimate(-0.12, -1.5, 2.5), 0.123, 0.456)
    quality = GenerationQuality("FID (2,048 features)", 2048, row, row, {"a class " * 8: row})
    long = "foreign images told apart (AUROC), pixels shuffled"
    against = Against(
        (Row(long, 0.5, 0.25, ".1%", (0.4, 0.6), (0.1, 0.3)), Row("parameters", 10**9, 5, ",.0f")), 9, False
    )
    for table in (quality_table(quality), against_table(against)):
        show(table)
        told = lines(capsys)
        assert max(map(len, told)) <= 80
    assert any("40.0% to 60.0%" in line for line in told)


@pytest.mark.parametrize("words", [["study"], ["list", "models"]])
def test_lists_fit_80_columns(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    told = lines(capsys)
    assert max(map(len, told)) <= 80
    if words == ["study"]:
        assert all(any(name in line for line in told) for name in studies())
