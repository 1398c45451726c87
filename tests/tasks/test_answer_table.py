"""The CSV in whatever form its reader asks for."""

import csv
import io

import pytest
from tests.stub_model import BernoulliModel, images

from pixelbayes.errors import UserError
from pixelbayes.tasks.answer_table import AnswerTable, csv_line, harmless, read_cells
from pixelbayes.tasks.classify import classify_levels

PATHS = ["x/b, c.png", "=1+1.png", 'say "hi"\r\n.png']


@pytest.fixture
def answer():
    return classify_levels(BernoulliModel([0.1, 0.5, 0.9], ("dark", "grey", "-light")), images([0, 6, 3]))


def read(table, answer):
    text = table.head(answer.classes) + "".join(table.lines(answer, PATHS)) + table.tail()
    return list(csv.reader(io.StringIO(text, newline="")))


def test_a_hand_in_has_two_columns_under_their_names(answer):
    rows = read(AnswerTable(columns=("id", "label"), paths="name"), answer)
    assert rows[0] == ["id", "label"]
    assert rows[1:] == [["b, c.png", "0"], ["=1+1.png", "2"], ['say "hi"\r\n.png', "1"]]


def test_a_hand_in_without_a_header_ends_with_a_row_of_ones_own(answer):
    rows = read(AnswerTable(columns=("path", "label"), header=False, last_row=("fid", "21.3")), answer)
    assert rows == [[PATHS[0], "0"], [PATHS[1], "2"], [PATHS[2], "1"], ["fid", "21.3"]]


def test_classes_are_said_by_name(answer):
    rows = read(AnswerTable(label="name"), answer)
    assert [row[2] for row in rows[1:]] == ["dark", "-light", "grey"]
    assert [row[5] for row in rows[1:3]] == ["grey", "grey"]
    assert [row[1] for row in rows[1:]] == ["", "", ""]


def test_every_class_has_its_probability(answer):
    rows = read(AnswerTable(posterior=True), answer)
    assert rows[0][-3:] == ["posterior_dark", "posterior_grey", "posterior_-light"]
    for row, chances in zip(rows[1:], answer.posterior.tolist(), strict=True):
        assert [float(cell) for cell in row[-3:]] == pytest.approx(chances)


def test_no_text_is_a_formula_where_that_is_asked_for(answer):
    rows = read(AnswerTable(safe=True, label="name", last_row=("@cmd", "-5")), answer)
    assert [row[0] for row in rows[1:4]] == [PATHS[0], "'=1+1.png", PATHS[2]]
    assert rows[2][2:4] == ["'-light", "'-light"]
    assert float(rows[2][-1]) < 0
    assert rows[-1] == ["'@cmd", "-5"]


@pytest.mark.parametrize("cell", ["=A1", "+x", "-x", "@x", "\tx", "\rx", "\nx", "-1+1"])
def test_what_a_spreadsheet_would_run_stands_behind_an_apostrophe(cell):
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["a", "", "-1", "+1.5", "-1e-9", "a=b", "é"])
def test_other_texts_and_numbers_stay(cell):
    assert harmless(cell) == cell


def test_odd_names_are_one_cell():
    cells = ["a\rb", "c\nd", 'e"f', "g,h", " i ", "日本"]
    assert next(csv.reader(io.StringIO(csv_line(cells), newline=""))) == cells


@pytest.mark.parametrize("text", ["", "id", "id,label,more", ",label", "id,", '"id'])
def test_other_than_two_columns_are_refused(text):
    with pytest.raises(UserError, match="--columns"):
        read_cells(text, "--columns", 2)


def test_an_unknown_form_is_refused():
    with pytest.raises(UserError, match="unknown form of paths 'names': did you mean 'name'"):
        AnswerTable(paths="names")
