"""`python -m benchmarks.classification` on a case of seconds."""

import json
import sys

from benchmarks import classification


def test_every_row_says_what_all_classes_cost(tmp_path, monkeypatch, capsys):
    small = ["--images", "2", "--size", "4", "--filters", "2", "--repeats", "1", "--classes", "2", "3"]
    out = tmp_path / "rows.json"
    words = ["classification", *small, "--strategies", "mild", "stages", "--json", str(out)]
    monkeypatch.setattr(sys, "argv", words)
    classification.main()
    rows = json.loads(out.read_text())["rows"]
    assert [(row["strategy"], row["classes"]) for row in rows] == [
        ("mild", 2), ("mild", 3), ("stages", 2), ("stages", 3),
    ]  # fmt: skip
    assert all(row["passes"] > 0 and row["one by one"] > 0 and row["images/s"] > 0 for row in rows)
    assert capsys.readouterr().out.count("\n") == 6
