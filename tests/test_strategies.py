"""docs/strategies.md against the registry and the networks."""

import json
import re
from pathlib import Path

import pytest
from benchmarks import strategies
from benchmarks.strategies import added

from pixelbayes import networks
from pixelbayes.causality import check_causality
from pixelbayes.distributions import LogisticMixture
from pixelbayes.errors import UserError
from pixelbayes.fusion import OPERATIONS, SITES, STRATEGIES, Fusion, FusionConfig
from pixelbayes.labels import Labels
from pixelbayes.levels import ImageShape
from pixelbayes.model import build
from pixelbayes.networks import PixelCNNConfig, PixelCNNPPConfig

PAGE = (Path(__file__).parents[1] / "docs" / "strategies.md").read_text(encoding="utf-8")


def table(heading: str) -> dict[str, list[str]]:
    """The rows of the table whose first heading is this, by their first cell."""
    lines = PAGE.split(f"| {heading} |", 1)[1].splitlines()[2:]
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines[: lines.index("")]]
    return {row[0]: row[1:] for row in rows}


def test_every_strategy_site_and_operation_has_a_row():
    assert list(table("strategy")) == list(STRATEGIES)
    assert list(table("site")) == list(SITES)
    assert list(table("operation")) == list(OPERATIONS)


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_counts_and_formulas_are_those_of_the_models(name):
    _, formula, count, source = table("strategy")[name]
    assert count == f"{added(name, PixelCNNPPConfig(resnets=1, filters=40), 4):,}"
    assert source == STRATEGIES[name].source
    python = re.sub(r"(\d)F", r"\1*F", formula.replace("·", "*"))
    for resnets, filters, classes in ((1, 40, 4), (2, 6, 3)):
        values = {"B": 12 * resnets + 4, "F": filters, "K": classes, "E": 32}
        config = PixelCNNPPConfig(resnets=resnets, filters=filters)
        assert eval(python, values) == added(
            name, config, classes, ImageShape(1, 8, 8) if name != "input" else None
        )


def test_the_benchmark_keeps_its_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(strategies, "STRATEGIES", {name: STRATEGIES[name] for name in ("none", "mild")})
    file = tmp_path / "table.json"
    monkeypatch.setattr("sys.argv", ["strategies", "--filters", "4", "--classes", "2", "--json", str(file)])
    strategies.main()
    found = json.loads(file.read_text())
    assert found["case"]["filters"] == 4
    assert [(row["strategy"], row["adds"] > 0) for row in found["rows"]] == [("none", False), ("mild", True)]


COLUMNS = ["pixelcnn_pp", "gated_pixelcnn", "pixelcnn", "pixelsnail"]


@pytest.mark.parametrize(("heading", "name"), enumerate(COLUMNS, 1))
def test_the_networks_offer_the_sites_of_the_table(heading, name):
    fusion, shape = Fusion(FusionConfig("none"), 2), ImageShape(1, 8, 8)
    config = networks.CONFIGS[name]()
    config.build(shape, LogisticMixture(2).parameters(shape, config.by_channel(shape)), fusion)
    for site, cells in table("site").items():
        offered = {stream for place, stream in fusion._offered if place == site}
        if site == "input" or name in ("pixelcnn", "pixelsnail"):
            assert bool(offered) == (cells[heading] == "yes"), site
        else:
            words = {"both streams": {"above", "left"}, "horizontal": {"left"}, "": set()}
            assert offered == words[cells[heading]], site


@pytest.mark.parametrize("name", STRATEGIES)
def test_no_strategy_lets_a_colour_see_the_next(name):
    """Attention to label tokens reads all the channels of a feature: it is made for each colour on its own."""
    config = PixelCNNConfig(blocks=1, filters=24, kernel=3)
    try:
        model = build(
            ImageShape(3, 3, 3, 5), Labels(("a", "b")), config, LogisticMixture(2), FusionConfig(name)
        )
    except UserError as error:
        pytest.skip(str(error))
    report = check_causality(model.double(), tolerance=0.0)
    assert report.ok, report
