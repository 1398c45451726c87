"""docs/architecture.md names what there is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pixelbayes
from pixelbayes.causal import Glimpse, WholeImage

PAGE = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
SOURCE = Path(pixelbayes.__file__).parent
VERBS = {
    "adapt", "classify", "complete", "cross_validate", "explain", "fit_detector", "from_arrays", "generate",
    "measure_generation", "open_images", "report", "study", "train", "__init__ of estimator",
}  # fmt: skip
"""What users call with many options by their names."""


def test_every_room_and_every_layer_file_is_on_the_page():
    rooms = {
        f"{item.name}/" for item in SOURCE.iterdir() if item.is_dir() and (item / "__init__.py").exists()
    }
    files = {item.name for item in SOURCE.glob("*.py")} | {
        item.name for item in (SOURCE / "causal").glob("*.py")
    }
    missing = {name for name in rooms | files if name not in PAGE and not name.startswith("__")}
    assert not missing


def test_what_the_table_tells_of_a_scan_both_scans_answer():
    told = set(re.findall(r"^\| `(\w+)\(", PAGE, flags=re.MULTILINE))
    for scan in (WholeImage, Glimpse):
        assert told <= set(vars(scan))
    assert len(told) == 13


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                yield path.stem, node


def test_no_function_is_longer_than_60_lines():
    """Its docstring, which tells the options of a public verb one by one, is not counted."""
    long = []
    for room, function in functions():
        first = function.body[0]
        told = first if ast.get_docstring(function) is not None else None
        words = 0 if told is None else (told.end_lineno or 0) - told.lineno + 1
        if (function.end_lineno or 0) - function.lineno + 1 - words > 60:
            long.append(f"{room}.{function.name}")
    assert not long


def test_none_but_the_public_verbs_has_more_than_eight_parameters():
    found = set()
    for room, function in functions():
        given = function.args
        names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        if len([name for name in names if name not in ("self", "cls")]) > 8:
            found.add(f"__init__ of {room}" if function.name == "__init__" else function.name)
    assert found <= VERBS
