"""Tables on the terminal."""

import pytest

from pixelbayes.cli.presenting import confusion_table, show


def test_names_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    show(confusion_table([[1, 2], [3, 4]], ["[/x]", "[red]"]))
    told = capsys.readouterr().out
    assert "[/x]" in told
    assert "[red]" in told
