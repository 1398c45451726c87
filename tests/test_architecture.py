"""docs/architecture.md names what there is."""

import re
from pathlib import Path

import pixelbayes
from pixelbayes.causal import Glimpse, WholeImage

PAGE = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
SOURCE = Path(pixelbayes.__file__).parent


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
