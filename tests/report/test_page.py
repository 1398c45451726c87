import re
from html.parser import HTMLParser

import pytest
import torch

from pixelbayes.levels import ImageShape
from pixelbayes.pictures import sheet
from pixelbayes.report import Command, Comparison, Mistake, Picture, Report, write_report


@pytest.fixture
def page(tmp_path):
    sheet(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), ImageShape(1, 8, 8, 2), tmp_path / "samples.png")
    png = (tmp_path / "samples.png").read_bytes()
    report = Report(
        title="A <report> & more",
        lead="what was done",
        figures=[("98.7 %", "accuracy")],
        comparisons=[
            Comparison("uniform", "nothing known", 4.0),
            Comparison("ours", "network", 1.0, 0.987, True),
        ],
        pictures=[Picture("Samples", "drawn by the model", tmp_path / "samples.png")],
        calibration="T = 12",
        mistakes=[Mistake(png, "<8>", "1", 0.731)],
        mistakes_note="one of 360",
        details=[("parameters", "12,345")],
        commands=[Command("pixelbayes generate runs/demo", "draw more")],
        footer="pixelbayes",
    )
    write_report(report, tmp_path / "report.html")
    return (tmp_path / "report.html").read_text(encoding="utf-8")


class Tags(HTMLParser):
    """Every opened tag is closed, but for those that have no end."""

    def __init__(self):
        super().__init__()
        self.open, self.sources = [], []

    def handle_starttag(self, tag, attrs):
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_needs_no_network(page):
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert tags.sources
    assert all(source.startswith("data:image/png;base64,") for source in tags.sources)
    assert not re.search(r"https?://|@import|url\(", page)


def test_what_was_measured_is_on_the_page_and_escaped(page):
    assert "A &lt;report&gt; &amp; more" in page
    for text in (
        "98.7 %",
        "98.7%",
        "T = 12",
        "12,345",
        "pixelbayes generate runs/demo",
        "73% sure",
        "&lt;8&gt;",
    ):
        assert text in page
    assert "<report>" not in page


def test_bars_are_in_proportion(page):
    assert re.findall(r"width:([\d.]+)%\"", page) == ["100.0", "25.0"]
