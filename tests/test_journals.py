"""One reader of a run's journal, whatever is in it."""

import numpy as np

from pixelbayes.journals import kept_row, number, read_columns, read_rows

HEAD = "step,epoch,validation_bits_per_dim\n"


def test_rows_with_a_step_are_whole(tmp_path) -> None:
    path = tmp_path / "journal.csv"
    assert read_rows(path) == []
    path.write_bytes(HEAD.encode() + b"1,0.1,\n\xff,0.2,3\n,\n\xc2\xb2,1,1\n3,0.3\n")
    assert [row["step"] for row in read_rows(path)] == ["1", "3"]
    path.write_text("")
    assert read_rows(path) == []


def test_columns_are_numbers_and_what_is_none_is_nan(tmp_path) -> None:
    path = tmp_path / "journal.csv"
    assert read_columns(path) == {}
    path.write_text("a,b\n1,x\n2\n3,inf\n")
    table = read_columns(path)
    assert table["a"].tolist() == [1, 2, 3]
    assert np.isnan(table["b"]).all()


def test_the_row_of_the_weights_that_are_kept(tmp_path) -> None:
    path = tmp_path / "journal.csv"
    path.write_text(HEAD + "1,0.1,4\n2,0.2,3\n3,0.3,3.5\n3,0.3,3.4\n4,0.4,nan\n")
    rows = read_rows(path)
    assert kept_row(rows)["step"] == "2"
    assert number(kept_row(rows, 3), "validation_bits_per_dim") == 3.4
    assert kept_row(rows, 4) == kept_row(rows, 9) == kept_row([]) == {}
