import pytest

from pixelbayes.errors import UserError
from pixelbayes.labels import Labels

PETS = Labels(("cat", "dog", "7"))


def test_names_and_indices_belong_together() -> None:
    assert len(PETS) == 3
    assert list(PETS) == ["cat", "dog", "7"]
    assert [PETS.index(name) for name in PETS] == [0, 1, 2]
    assert PETS[1] == "dog"


@pytest.mark.parametrize(("word", "index"), [("cat", 0), (1, 1), ("1", 1), ("7", 2), (7, 2), (0, 0)])
def test_a_name_wins_over_an_index(word: str | int, index: int) -> None:
    assert PETS.index(word) == index


NUMBERED = Labels(("1", "2", "10"))
MIXED = Labels(("2", "cat", "dog"))


@pytest.mark.parametrize(("word", "index"), [(1, 0), ("1", 0), (10, 2), ("2", 1)])
def test_a_number_is_a_name_where_all_names_are_numbers(word: str | int, index: int) -> None:
    assert NUMBERED.index(word) == index


def test_a_number_that_could_mean_two_classes_is_refused() -> None:
    for number in (0, 3):
        with pytest.raises(UserError, match=rf"no class is named {number}: .*\(1, 2, 10\)"):
            NUMBERED.index(number)
    with pytest.raises(UserError, match="named '2' or that of index 2, 'dog': write the name as a text"):
        MIXED.index(2)
    assert (MIXED.index("2"), MIXED.index(0), MIXED.index("1")) == (0, 0, 1)


def test_a_list_of_words() -> None:
    assert PETS.parse("dog, 0,cat,") == [1, 0, 0]
    assert PETS.parse("") == []


@pytest.mark.parametrize(
    ("word", "wanted"),
    [("dgo", "did you mean 'dog'"), (3, r"outside 0\.\.2 \(cat, dog, 7\)"), (-1, r"class -1 is")],
)
def test_what_is_no_class_is_refused(word: str | int, wanted: str) -> None:
    with pytest.raises(UserError, match=wanted):
        PETS.index(word)


def test_two_classes_of_one_name_are_refused() -> None:
    with pytest.raises(UserError, match="must differ"):
        Labels(("cat", "cat"))


def test_no_classes_are_false() -> None:
    assert not Labels()
